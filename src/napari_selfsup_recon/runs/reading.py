"""How a measurement is read from a file, and what is told where the file does not say."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.measurement import Measurement


@dataclass(frozen=True)
class Reading:
    """What the file does not say, or says wrongly.

    Attributes
    ----------
    axes
        Names of the axes, for example ``"tcyx"``; those of the file where empty.
    voxel_size
        One number, or one for each of z, y, x; that of the file where empty.
    unit
        Of the voxel size.
    if_missing
        Whether the voxel size is only for files that do not say theirs.
    """

    axes: str = ""
    voxel_size: tuple[float, ...] = ()
    unit: str = "micrometer"
    if_missing: bool = False


def read_source(
    path: str | os.PathLike[str],
    reading: Reading | None = None,
    *,
    scene: int = 0,
    level: int = 0,
    kspace: bool = False,
) -> Measurement:
    """Read what an instrument recorded.

    Parameters
    ----------
    path
        The file.
    reading
        What is told beside it.
    scene
        Which image of a file with several.
    level
        Which resolution of a pyramid; 0 is full size.
    kspace
        Whether complex values are k-space.

    Raises
    ------
    FileError
        If it cannot be read.
    InputError
        If what is told does not fit it.
    """
    from napari_selfsup_recon.io import volumes
    from napari_selfsup_recon.io.kspace import read_kspace

    if kspace and (scene or level):
        raise FileError("K-space files hold one image.", hint="Choose scene 0 and level 0.")
    measurement = read_kspace(path) if kspace else volumes.read(path, scene=scene, level=level)
    told = reading or Reading()
    if told.axes:
        measurement = replace(measurement, axes=tuple(told.axes.lower().replace(",", "")))
    known = any(unit != "pixel" for unit in measurement.units[-measurement.spatial_ndim :])
    if told.voxel_size and not (told.if_missing and known):
        n, sizes = measurement.spatial_ndim, told.voxel_size
        if len(sizes) not in (1, n):
            raise InputError(
                f"{len(sizes)} voxel sizes are given for {n} spatial axes.",
                hint=f"Give one, or one for each of {', '.join(measurement.spatial_axes)}.",
            )
        lead = len(measurement.leading_shape)
        measurement = replace(
            measurement,
            scale=measurement.scale[:lead] + sizes * (n if len(sizes) == 1 else 1),
            units=measurement.units[:lead] + (told.unit,) * n,
        )
    return measurement
