"""A reconstruction as it will be computed: the measurement in order, the instrument, the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import FloatImage, Measurement
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs.instruments import SCANS, Instrument

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.base import Physics
    from napari_selfsup_recon.runs.config import RunConfig

#: Arrays beside the measurement, by what they are: ``flat``, ``dark``, ``angles``, ``mask``.
Given = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Problem:
    """What was measured, by what, and what shall come out.

    Attributes
    ----------
    instrument
        Its kind.
    y
        float32 ``(slice, *measurement_shape)``; with ``channels`` behind the slice.
    result
        The result's shape, axes, voxel size and units; its values are zeros that take no memory.
    facts
        Of the instrument, for provenance; JSON-safe.
    lines
        Of the instrument, for people.
    findings
        What was found in the data and done to them.
    build
        Makes the operator; loads torch.
    channels
        Of complex values; None for real ones.
    axis
        Column of the rotation axis of a scan.
    degrees
        Angles of a scan.
    bytes_more
        Memory that the operator takes.
    """

    instrument: Instrument
    y: FloatImage
    result: Measurement
    facts: dict[str, Any]
    lines: tuple[str, ...]
    findings: tuple[Finding, ...]
    build: Callable[[], Physics] = field(repr=False)
    channels: int | None = None
    axis: float | None = None
    degrees: np.ndarray[Any, np.dtype[np.float64]] | None = None
    bytes_more: int = 0

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return len(self.y)


def pose(config: RunConfig, measurement: Measurement, given: Given | None = None) -> Problem:
    """Return the problem that a configuration and a measurement pose.

    Raises
    ------
    InputError
        If they do not fit each other.
    FileError
        If a file of angles, flats or masks cannot be read.
    """
    arrays = dict(given or {})
    instrument = config.physics.instrument
    if instrument == "blur":
        raise InputError(
            "To reconstruct, the instrument has to be known.",
            hint="Choose CT, MRI or missing pixels; for a blurred image choose to sharpen.",
        )
    if config.region is not None:
        raise InputError(
            "A part of the image cannot be reconstructed from a part of the measurement.",
            hint="Leave the region out; of a scan, some slices can be chosen.",
        )
    if instrument in SCANS:
        from napari_selfsup_recon.runs._scan import pose_scan

        return pose_scan(config.physics, measurement, arrays)
    from napari_selfsup_recon.runs._sampled import pose_inpainting, pose_mri

    ask = pose_inpainting if instrument == "inpainting" else pose_mri
    return ask(config.physics, measurement, arrays)


def empty_result(
    measurement: Measurement,
    shape: tuple[int, ...],
    *,
    scale: tuple[float, ...],
    units: tuple[str, ...],
) -> Measurement:
    """Return the facts of a result ``(y, x)`` or ``(z, y, x)``; its zeros take no memory."""
    zeros = np.broadcast_to(np.zeros((), dtype=np.float32), shape)
    return Measurement(
        zeros,
        axes=("z", "y", "x")[-len(shape) :],
        scale=scale,
        units=units,
        name=measurement.name,
        metadata=dict(measurement.metadata),
    )
