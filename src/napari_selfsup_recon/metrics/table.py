"""Several images against one truth, as rows that print as an aligned table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import Image, as_image, check_range
from napari_selfsup_recon.metrics._rings import check_voxel_size
from napari_selfsup_recon.metrics.fourier_correlation import frc, fsc
from napari_selfsup_recon.metrics.mutual_information import (
    mutual_information,
    spectral_mutual_information,
)
from napari_selfsup_recon.metrics.nrmse import nrmse
from napari_selfsup_recon.metrics.psnr import psnr
from napari_selfsup_recon.metrics.ssim import ssim
from napari_selfsup_recon.metrics.whiteness import residual_whiteness


@dataclass(frozen=True)
class Scores:
    """What the metrics say of one image."""

    name: str
    """What the image is."""
    psnr: float
    """dB, with the data range of the table."""
    ssim: float
    """With the data range of the table."""
    ssim_published: float
    """With twice that range, as in the published SSI figures."""
    mi: float
    """Mutual information over joint entropy."""
    smi: float
    """The same between cosine spectra."""
    nrmse: float
    """Euclidean."""
    resolution: float | None = None
    """Finest detail that agrees with the truth (Fourier correlation 0.5), in the unit of the table;
    None where it was not asked for or nothing crosses."""
    whiteness: float | None = None
    """Energy of the autocorrelation of the residual over that of white noise; needs no truth."""


_COLUMNS = {  # field -> heading, format
    "name": ("image", ""),
    "psnr": ("PSNR dB", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "ssim_published": ("SSIM range x2", ".4f"),
    "mi": ("MI", ".4f"),
    "smi": ("SMI", ".4f"),
    "nrmse": ("NRMSE", ".4f"),
    "resolution": ("resolution", ".3g"),
    "whiteness": ("whiteness", ".3g"),
}
_EXTRA = ("resolution", "whiteness")


@dataclass(frozen=True)
class Table:
    """Rows of scores; ``print(table)`` aligns them, ``table["name"]`` is one of them."""

    rows: tuple[Scores, ...]
    unit: str = "pixel"
    """Unit of the resolutions."""

    def __iter__(self) -> Iterator[Scores]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Scores:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        ]
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the table in Markdown, figures flush right."""
        head, *body = [[cell.replace("|", "\\|") for cell in line] for line in self._cells()]
        rule = ["---"] + ["---:"] * (len(head) - 1)
        return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _cells(self) -> list[list[str]]:
        shown = {
            key: column
            for key, column in _COLUMNS.items()
            if key not in _EXTRA or any(getattr(row, key) is not None for row in self.rows)
        }
        heads = [
            f"{head} {self.unit}" if key == "resolution" else head
            for key, (head, _) in shown.items()
        ]
        body = [
            [_cell(getattr(row, key), form) for key, (_, form) in shown.items()] for row in self
        ]
        return [heads, *body]


def _cell(value: str | float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def table(
    truth: ArrayLike,
    images: Mapping[str, ArrayLike],
    *,
    data_range: float = 1.0,
    voxel_size: float | Sequence[float] | None = None,
    unit: str = "pixel",
    residuals: Mapping[str, ArrayLike] | None = None,
    sigma: ArrayLike | None = None,
) -> Table:
    """Return all metrics of each image against ``truth``.

    Parameters
    ----------
    truth
        The true image, 2D or 3D.
    images
        Name to image of the same shape and intensity scale.
    data_range
        Largest minus smallest possible value, for PSNR and SSIM. SSIM is also given with twice this
        range, since the published SSI figures use 2 for images in [0, 1].
    voxel_size
        Adds the resolution: the finest detail in which the image and the truth have a Fourier
        correlation of 0.5 or more (what 1/7 is between two noisy halves). In ``unit``; one number,
        or one an axis; 1 for pixels.
    unit
        Unit of ``voxel_size``.
    residuals
        Adds the whiteness: name of an image to its residual ``y - A(x)``. It needs no truth.
    sigma
        Standard deviation of the noise for :func:`residual_whiteness`.

    Raises
    ------
    InputError
        If an image does not fit the truth; the message names the image. All images are looked at
        before the first is scored.

    Notes
    -----
    The Fourier correlation of a single image is left out: it needs noise that is independent from
    pixel to pixel, which no reconstruction has.
    """
    check_range(data_range)
    true = as_image(truth, "true image")
    arrays = {name: as_image(image, f"image {name!r}") for name, image in images.items()}
    for name, image in arrays.items():
        if image.shape != true.shape:
            raise InputError(
                f"The image {name!r} has the shape {image.shape} and the true image {true.shape}.",
                hint="Crop or resample it so that both cover the same pixels.",
            )
    if voxel_size is not None:
        voxel_size = check_voxel_size(voxel_size, true.ndim)
    left = dict(residuals or {})
    strange = sorted(left.keys() - arrays.keys())
    if strange:
        raise InputError(
            f"There is a residual of {strange[0]!r}, but no image of that name.",
            hint="Use the same names for images and residuals.",
        )
    white = {
        name: residual_whiteness(residual, sigma=sigma).ratio for name, residual in left.items()
    }
    return Table(
        tuple(
            Scores(
                name=name,
                psnr=psnr(true, image, data_range=data_range),
                ssim=ssim(true, image, data_range=data_range),
                ssim_published=ssim(true, image, data_range=2 * data_range),
                mi=mutual_information(true, image),
                smi=spectral_mutual_information(true, image),
                nrmse=nrmse(true, image),
                resolution=_resolution(true, image, voxel_size),
                whiteness=white.get(name),
            )
            for name, image in arrays.items()
        ),
        unit=unit,
    )


def _resolution(
    true: Image, image: Image, voxel_size: float | Sequence[float] | None
) -> float | None:
    if voxel_size is None or float(np.ptp(image)) == 0 or float(np.ptp(true)) == 0:
        return None
    compare = fsc if true.ndim == 3 else frc
    return compare(true, image, voxel_size=voxel_size, threshold=0.5).resolution
