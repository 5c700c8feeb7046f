"""Several images against one truth, as rows that print as an aligned table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import as_image, check_range
from napari_selfsup_recon.metrics.mutual_information import (
    mutual_information,
    spectral_mutual_information,
)
from napari_selfsup_recon.metrics.nrmse import nrmse
from napari_selfsup_recon.metrics.psnr import psnr
from napari_selfsup_recon.metrics.ssim import ssim


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


_HEADS = ("image", "PSNR dB", "SSIM", "SSIM range x2", "MI", "SMI", "NRMSE")
_FORMATS = ("", ".2f", ".4f", ".4f", ".4f", ".4f", ".4f")


@dataclass(frozen=True)
class Table:
    """Rows of scores; ``print(table)`` aligns them, ``table["name"]`` is one of them."""

    rows: tuple[Scores, ...]

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
        body = [
            [
                format(getattr(row, f.name), form)
                for f, form in zip(fields(row), _FORMATS, strict=True)
            ]
            for row in self.rows
        ]
        return [list(_HEADS), *body]


def table(truth: ArrayLike, images: Mapping[str, ArrayLike], *, data_range: float = 1.0) -> Table:
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

    Raises
    ------
    InputError
        If an image does not fit the truth; the message names the image. All images are looked at
        before the first is scored.
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
            )
            for name, image in arrays.items()
        )
    )
