"""K-space: complex values, which a measurement holds as two channels."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.io._files import existing


def complex_measurement(array: Any, *, name: str, **facts: Any) -> Measurement:
    """Return complex k-space ``(..., ky, kx)`` as a measurement with an axis c of two entries.

    Parameters
    ----------
    array
        Complex values, two or three axes.
    name
        Of the measurement.
    facts
        ``axes``, ``scale`` and ``units`` of ``array``, ``metadata``.
    """
    values = np.asarray(array)
    ndim = values.ndim
    axes = tuple(facts.pop("axes", ()) or ("z", "y", "x")[-ndim:])
    scale = (1.0, *(facts.pop("scale", ()) or (1.0,) * ndim))
    units = ("pixel", *(facts.pop("units", ()) or ("pixel",) * ndim))
    channels = np.stack([values.real, values.imag]).astype(np.float32)
    return Measurement(channels, axes=("c", *axes), scale=scale, units=units, name=name, **facts)


def read_kspace(path: str | os.PathLike[str]) -> Measurement:
    """Read k-space: a complex ``.npy`` or ``.npz`` array, or any file with an axis c of two.

    Raises
    ------
    FileError
        If the file is missing or damaged, or has too many axes.
    """
    found = existing(path)
    if found.suffix.lower() not in (".npy", ".npz"):
        return volumes.read(found)
    try:
        loaded = np.load(found, allow_pickle=False)
        arrays = [loaded] if isinstance(loaded, np.ndarray) else [loaded[n] for n in loaded.files]
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{str(found)!r} is damaged.", hint="Save it again.") from error
    if len(arrays) != 1 or arrays[0].dtype.kind != "c":
        return volumes.read(found)
    if arrays[0].ndim not in (2, 3):
        raise FileError(
            f"{str(found)!r} has {arrays[0].ndim} axes.", hint="Give (ky, kx) or (slice, ky, kx)."
        )
    return complex_measurement(arrays[0], name=found.stem, metadata={"path": str(found)})
