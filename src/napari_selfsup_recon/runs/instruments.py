"""What is to be said of a tomograph, and of a mask: options without torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import field_validator, model_validator

from napari_selfsup_recon.core.options import Options, option

Instrument = Literal["blur", "parallel-beam", "fan-beam", "transmission", "inpainting", "mri"]
SCANS = ("parallel-beam", "fan-beam", "transmission")
LABELS: dict[Instrument, str] = {
    "blur": "Blur (microscope)",
    "parallel-beam": "CT, parallel beam",
    "fan-beam": "CT, fan beam",
    "transmission": "CT, photon counts",
    "inpainting": "Missing pixels",
    "mri": "MRI (k-space)",
}


class Tomograph(Options):
    """How a scan was made. Angles are degrees; the axis is a column of the detector."""

    angles: str | None = option(
        None,
        title="Angle file",
        description="File with one angle a view: .txt, .csv, .tlt, .npy. Without one the angles of "
        "the image's metadata are taken, or else the range is spread evenly over the views.",
    )
    view_angles: tuple[float, ...] | None = option(
        None, title="Angles", description="One angle a view, in place of a file."
    )
    unit: Literal["auto", "degrees", "radians"] = option(
        "auto",
        title="Unit of the angles",
        advanced=True,
        description="auto takes angles that span 6.4 or less for radians, and says so.",
    )
    span: float = option(
        180.0,
        ge=-720,
        le=720,
        title="Range",
        unit="degrees",
        description="From the first view to one step behind the last, where angles are not given.",
    )
    start: float = option(
        0.0, ge=-720, le=720, title="First angle", unit="degrees", description="Of the range."
    )
    order: Literal["auto", "sinograms", "projections", "transposed"] = option(
        "auto",
        title="Order",
        description="How the array is read. sinograms: (slice, angle, column); projections: (angle,"
        " row, column); transposed: (slice, column, angle). auto goes by the number of angles.",
    )
    axis: float | Literal["auto", "middle"] = option(
        "auto",
        title="Rotation axis",
        unit="column",
        description="Column of the detector onto which the axis falls, from 0; auto finds it.",
    )
    pitch: float = option(
        1.0,
        gt=0,
        le=100,
        title="Pitch",
        unit="pixels",
        advanced=True,
        description="Width of a column of the detector in pixels of the result.",
    )
    size: tuple[int, int] | None = option(
        None,
        title="Size",
        unit="pixels",
        advanced=True,
        description="Rows and columns of a slice of the result; the width of the detector if none.",
    )
    slices: tuple[int, int] | None = option(
        None,
        title="Slices",
        description="First and last (excluded) slice to reconstruct; all if none.",
    )
    flat: str | None = option(
        None, title="Flat field", description="File with projections without the object."
    )
    dark: str | None = option(
        None,
        title="Dark field",
        description="File with projections without light. Without a flat field it is subtracted.",
    )
    air: tuple[int, ...] | None = option(
        None,
        title="Air",
        unit="columns",
        description="First and last (excluded) column that sees no object in any view, or two such "
        "ranges (0:20:140:160): where there is no flat field, or the light has changed since.",
    )
    log: Literal["auto", "yes", "no"] = option(
        "auto",
        title="Logarithm",
        advanced=True,
        description="Whether -log is taken of the values; auto does so after a flat or air "
        "correction.",
    )
    stripes: bool = option(
        False,
        title="Remove stripes",
        description="Takes stripes out of the sinograms, which become rings in the slices.",
    )
    light: float | None = option(
        None,
        gt=0,
        le=1e12,
        title="Light (I0)",
        unit="counts",
        description="Counts without the object, for photon counts; read off the flat field if not "
        "given.",
    )
    attenuation: float = option(
        1.0,
        gt=0,
        le=1e6,
        title="Attenuation",
        advanced=True,
        description="Line integral that one unit of the result gives over one pixel, for photon "
        "counts.",
    )
    source_distance: float | None = option(
        None,
        gt=0,
        le=1e9,
        title="Source to axis",
        unit="pixels",
        description="Distance of a fan beam's source from the rotation axis, in pixels of the "
        "result.",
    )
    detector_distance: float | None = option(
        None,
        ge=0,
        le=1e9,
        title="Axis to detector",
        unit="pixels",
        description="Distance of a fan beam's detector from the rotation axis, in pixels of the "
        "result.",
    )

    @field_validator("axis", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in ("auto", "middle"):
            try:
                return float(value)
            except ValueError:
                return value
        return value

    @field_validator("slices", "air", "size", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        """Read ``"10:20"`` and ``"256,256"`` as they are typed."""
        if isinstance(value, str):
            return tuple(part for part in value.replace(",", ":").split(":"))
        return value

    @field_validator("view_angles", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _pairs_in_order(self) -> Tomograph:
        for name in ("slices", "air"):
            ends = getattr(self, name) or ()
            if len(ends) % 2:
                raise ValueError(f"{name} needs a first and a last number")
            for first, last in list(pairwise(ends))[::2]:
                if not 0 <= first < last:
                    raise ValueError(f"{name} {first}:{last} holds nothing")
        if self.size is not None and min(self.size) < 1:
            raise ValueError("the size has to be positive")
        return self


class Sampling(Options):
    """Which pixels, or which places of k-space, were measured."""

    mask: Literal["auto", "file", "array"] = option(
        "auto",
        title="Mask",
        description="Where it comes from: a file, an array (a layer), or the values themselves: "
        "NaN or a constant where nothing was measured.",
    )
    path: str | None = option(
        None,
        title="Mask file",
        description="TIFF, NumPy or zarr file; other than 0 where it was measured.",
    )
    missing: float = option(
        0.0,
        ge=-1e30,
        le=1e30,
        title="Missing",
        description="Value of pixels that were not measured, where there are neither a mask nor "
        "NaN.",
    )
    centred: Literal["auto", "yes", "no"] = option(
        "auto",
        title="Centred k-space",
        advanced=True,
        description="Whether the frequency zero is in the middle; auto looks for the largest "
        "value.",
    )
