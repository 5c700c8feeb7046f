"""Results that are larger than the memory: written frame by frame, and read as they are needed."""

from __future__ import annotations

import os
import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import Provenance
from napari_selfsup_recon.io import _files
from napari_selfsup_recon.io._facts import document
from napari_selfsup_recon.io._zarr_write import ZarrImage, order_of

ENDING = ".ome.zarr"
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')


def check_folder(folder: str | os.PathLike[str], measurement: Measurement, count: int = 1) -> Path:
    """Return ``folder`` if results as large as ``measurement`` could be written there.

    Parameters
    ----------
    folder
        An existing folder.
    measurement
        Its axes and shape count; results are float32.
    count
        How many results there will be.

    Raises
    ------
    FileError
        If the folder is missing, cannot be written, or has no room.
    InputError
        If OME-Zarr cannot hold such axes.
    """
    target = Path(folder).expanduser() / f"result{ENDING}"
    order_of(measurement)
    _files.check_target(target, overwrite=True)  # names are chosen so that nothing is replaced
    # Smaller copies add a third.
    _files.check_disk(target, count * prod(measurement.shape) * 4 * 4 // 3)
    return target.parent


class Growing:
    """An image in OME-Zarr that grows frame by frame, and gets its name when it is complete.

    Parameters
    ----------
    folder
        Where it will be.
    measurement
        Axes, shape and place of the whole; its values are not read.

    Raises
    ------
    InputError, FileError
        See :func:`check_folder`.
    """

    def __init__(self, folder: Path, measurement: Measurement) -> None:
        self._folder = check_folder(folder, measurement)
        self._part = _files.beside(self._folder / f"result{ENDING}")
        empty = np.broadcast_to(np.float32(0), measurement.shape)
        self._image = self._guarded(
            lambda: ZarrImage(self._part, measurement.with_data(empty), grows=True)
        )

    def put(self, index: tuple[int, ...], frame: np.ndarray[Any, Any]) -> None:
        """Write one frame.

        Raises
        ------
        FileError
            If the disk is full or refuses.
        """
        self._guarded(lambda: self._image.put(index, np.asarray(frame, dtype=np.float32)))

    def finish(self, measurement: Measurement, provenance: Provenance) -> tuple[Path, Any]:
        """Write smaller copies and all facts, and give it the name of ``measurement``.

        Parameters
        ----------
        measurement
            Facts of the result; its first axis may be shorter than it was to be.
        provenance
            Where it comes from.

        Returns
        -------
        tuple
            The folder that was made, and the values as a lazy dask array with the axes of
            ``measurement``.

        Raises
        ------
        FileError
            If the disk is full or refuses.
        """
        empty = np.broadcast_to(np.float32(0), measurement.shape)
        facts = measurement.with_data(empty)
        note = document(facts, provenance)

        def write() -> Path:
            if measurement.shape[0] < self._image.array.shape[self._image.order.index(0)]:
                self._image.cut(measurement.shape[0])
            self._image.finish(facts, note)
            target = _free_name(self._folder, measurement.name)
            os.replace(self._part, target)
            return target

        target = self._guarded(write)
        return target, _opened(target, self._image.order)

    def drop(self) -> None:
        """Remove what was written, unless it is complete."""
        _files.remove(self._part)

    def _guarded(self, write: Any) -> Any:
        try:
            return write()
        except OSError as error:
            raise FileError(
                f"The result cannot be written to {str(self._folder)!r}: {error}.",
                hint="Check the space on the disk and your permissions, or choose another folder.",
            ) from error


def _free_name(folder: Path, name: str) -> Path:
    """Return a name in ``folder`` that nothing has yet."""
    plain = _FORBIDDEN.sub("_", name)[:120].strip(". ") or "result"
    target, number = folder / f"{plain}{ENDING}", 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"{plain} {number}{ENDING}"
    return target


def _opened(path: Path, order: list[int]) -> Any:
    """Return full size as a lazy array, its axes put back from ``order``."""
    import dask.array

    lazy = dask.array.from_zarr(str(path), component="0")  # type: ignore[no-untyped-call, unused-ignore]
    return lazy.transpose([order.index(i) for i in range(len(order))])
