"""The finest detail of compared images, by Fourier correlation, in units of length."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari.layers import Image, Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.core.units import unit_symbol
from napari_selfsup_recon.runs._units import has_lengths, in_units_of
from napari_selfsup_recon.widgets.bridge import is_result, source_of
from napari_selfsup_recon.widgets.companions import result_of
from napari_selfsup_recon.widgets.pairing import middle

if TYPE_CHECKING:
    from napari_selfsup_recon.metrics import FourierCorrelation

# What 1/7 is between two noisy halves, it is against a truth without noise.
_AGREES = 0.5

_MADE_HERE: weakref.WeakSet[Layer] = weakref.WeakSet()


@dataclass(frozen=True)
class Grid:
    """How the pixels of compared images lie.

    Attributes
    ----------
    scale
        Voxel size along the spatial axes.
    unit
        Symbol of its unit, ``"px"`` where it is not known.
    """

    scale: tuple[float, ...]
    unit: str


@dataclass(frozen=True, eq=False)
class Resolution:
    """What a Fourier correlation found; its text is what a cell of the table shows."""

    kind: Literal["FRC", "FSC"]
    found: FourierCorrelation

    def __str__(self) -> str:
        if self.found.resolution is not None:
            return f"{self.found.resolution:.3g} {self.found.unit}"
        if self.found.limit == "sampling":
            return f"≤ {1 / float(self.found.frequency[-1]):.3g} {self.found.unit}"
        return "none"


def grid_of(layer: Image) -> Grid:
    """Return how the pixels of a layer lie; pixels are counted where their size is no length."""
    measurement = source_of(layer).measurement
    if not has_lengths(measurement):
        return Grid((1.0,) * measurement.spatial_ndim, "px")
    sizes = in_units_of(measurement, measurement) or measurement.scale
    return Grid(sizes[-measurement.spatial_ndim :], unit_symbol(measurement.units[-1]))


def remember_as_made(layer: Layer) -> None:
    """Keep that ``layer`` was computed, and is no raw image."""
    _MADE_HERE.add(layer)


def is_raw(layer: Layer) -> bool:
    """Whether nothing says that ``layer`` was computed from another one."""
    made = is_result(layer) or layer in _MADE_HERE or METADATA_KEY in layer.metadata
    return not made and result_of(layer) is layer


def resolution_against(image: FloatImage, reference: FloatImage, grid: Grid) -> Resolution | None:
    """Return the finest detail in which ``image`` agrees with ``reference``; None if unknown.

    Parameters
    ----------
    image, reference
        Of one shape, the spatial axes last; of leading axes the middle image is taken.
    grid
        How their pixels lie.
    """
    from napari_selfsup_recon.metrics.fourier_correlation import frc, fsc

    shape = image.shape[-len(grid.scale) :]
    size = tuple(s for s, n in zip(grid.scale, shape, strict=True) if n > 1)
    pair = [middle(array, len(grid.scale)) for array in (image, reference)]
    compare = fsc if len(size) == 3 else frc
    try:
        found = compare(*pair, voxel_size=size, unit=grid.unit, threshold=_AGREES)
    except InputError:  # constant, too small or not finite: there is nothing to be told
        return None
    return Resolution("FSC" if len(size) == 3 else "FRC", found)


def resolution_of_raw(image: FloatImage, grid: Grid) -> Resolution | None:
    """Return the resolution of one raw image, of a volume its middle plane; None if unknown.

    See :func:`~napari_selfsup_recon.metrics.single_image_frc`: what was computed would seem far
    sharper than it is.
    """
    from napari_selfsup_recon.metrics.fourier_correlation import single_image_frc

    plane = middle(image, 2)
    try:
        found = single_image_frc(plane, voxel_size=grid.scale[-2:], unit=grid.unit)
    except InputError:
        return None
    return Resolution("FRC", found)
