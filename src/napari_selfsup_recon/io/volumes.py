"""Images and volumes in files: read as measurements, written with all that they say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Literal

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import METADATA_KEY, Provenance
from napari_selfsup_recon.io import _files
from napari_selfsup_recon.io._facts import part_of

Kind = Literal["tiff", "npy", "npz", "image", "zarr"]
OmeZarr = Literal["0.5", "0.4"]
ENDINGS: dict[str, Kind] = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".btf": "tiff",
    ".npy": "npy",
    ".npz": "npz",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".bmp": "image",
    ".zarr": "zarr",
}
WRITABLE = (".ome.tif", ".tif", ".tiff", ".npy", ".zarr", ".ome.zarr")


def read(path: str | os.PathLike[str], *, scene: int = 0, level: int = 0) -> Measurement:
    """Read an image or volume with its axes, voxel size and units.

    Axes come out in the order (..., t, c, z, y, x); those of length 1 are dropped. Large
    uncompressed TIFF and NumPy files are mapped and zarr is opened, not loaded.

    Parameters
    ----------
    path
        ``.tif``, ``.tiff`` (ImageJ, OME, plain), ``.npy``, ``.npz`` (one array), ``.png``,
        ``.jpg``, ``.bmp`` (grey), or a ``.zarr`` folder (plain or OME-Zarr).
    scene
        Which image of a file with several.
    level
        Which resolution of a pyramid; 0 is full size.

    Returns
    -------
    Measurement
        ``metadata["path"]`` is the path that was read, ``metadata["channels"]`` the names of the
        channels where OME-Zarr gives them, and ``metadata["notes"]`` a list of sentences on what
        had to be guessed, such as axes without a name.

    Raises
    ------
    FileError
        If the file is missing, empty, damaged, incomplete, in colour, too large for the memory, or
        of a kind that is not known.
    """
    found = _files.existing(path)
    kind = _kind(found)
    if kind == "zarr":
        from napari_selfsup_recon.io._zarr import read_zarr

        return read_zarr(found, scene=scene, level=level)
    if found.is_dir():
        raise FileError(f"{str(found)!r} is a folder.", hint="Choose a file, or a .zarr folder.")
    if kind == "tiff":
        from napari_selfsup_recon.io._tiff import read_tiff

        return read_tiff(found, scene=scene, level=level)
    if scene or level:
        raise FileError(
            f"{str(found)!r} holds one image of one resolution.", hint="Choose scene 0 and level 0."
        )
    if kind == "image":
        from napari_selfsup_recon.io._image import read_image

        return read_image(found)
    from napari_selfsup_recon.io import _numpy

    return _numpy.read_npy(found) if kind == "npy" else _numpy.read_npz(found)


def write(
    path: str | os.PathLike[str],
    measurement: Measurement,
    *,
    provenance: Provenance | Mapping[str, Any] | None = None,
    overwrite: bool = False,
    ome_zarr: OmeZarr = "0.5",
) -> Path:
    """Write a measurement or result with its axes, voxel size, units and provenance.

    The file appears in one go when it is complete. Lazy arrays are written bit by bit.

    Parameters
    ----------
    path
        The ending chooses the format. ``.tif``: OME-TIFF; the provenance is JSON in a comment
        annotation of the OME-XML. ``.npy``: the values, and ``<path>.json`` with the rest.
        ``.zarr``: OME-Zarr with a pyramid; the provenance is the attribute ``selfsup_recon``.
    measurement
        What to write.
    provenance
        Where the result comes from; by default what ``measurement.metadata["selfsup_recon"]``
        holds.
    overwrite
        Whether an existing file may be replaced.
    ome_zarr
        Version of OME-Zarr: 0.5 (zarr 3), or 0.4 (zarr 2) for programs that cannot read 0.5 yet.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    FileError
        If the folder cannot be written, the file exists, or the disk is full.
    InputError
        If the format cannot hold this kind of array or metadata.
    """
    target = check_writable(path, overwrite=overwrite)
    kind = ENDINGS[target.suffix.lower()]
    size = prod(measurement.shape) * measurement.dtype.itemsize
    _files.check_disk(target, size * 4 // 3 if kind == "zarr" else size)  # a pyramid adds a third
    story = provenance if provenance is not None else measurement.metadata.get(METADATA_KEY)
    if kind == "npy":
        from napari_selfsup_recon.io import _numpy

        text = _numpy.note_text(measurement, story)
        beside = _numpy.sidecar(target)
        with _files.replacing(target, overwrite=overwrite) as part:
            _numpy.write_npy(part, measurement)
            with _files.replacing(beside, overwrite=overwrite) as note:
                note.write_text(text, encoding="utf-8")
    elif kind == "zarr":
        from napari_selfsup_recon.io._zarr_write import write_zarr

        with _files.replacing(target, overwrite=overwrite) as part:
            write_zarr(part, measurement, story, version=ome_zarr)
    else:
        from napari_selfsup_recon.io._tiff import write_tiff

        with _files.replacing(target, overwrite=overwrite) as part:
            write_tiff(part, measurement, story)
    return target


def check_writable(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Return ``path`` if :func:`write` could write there. Call it before any work.

    Raises
    ------
    FileError
        If the ending is not known, the folder is missing or cannot be written, or the file exists
        and ``overwrite`` is False.
    """
    target = _files.check_target(path, overwrite=overwrite)
    kind = ENDINGS.get(target.suffix.lower())
    if kind not in ("tiff", "npy", "zarr"):
        raise FileError(
            f"Images cannot be written as {target.suffix or 'a file without an ending'}.",
            hint=f"Choose one of {', '.join(WRITABLE)}.",
        )
    if kind == "npy":
        _files.check_target(target.with_name(target.name + ".json"), overwrite=overwrite)
    if target.is_dir():
        from napari_selfsup_recon.io._zarr import is_store

        # Whole folders are replaced only where they are what they are replaced with.
        if kind != "zarr" or not is_store(target):
            raise FileError(
                f"{str(target)!r} is a folder, and not one of zarr data.",
                hint="Choose another name.",
            )
    return target


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the provenance that :func:`write` kept in a file, or None if it has none.

    Raises
    ------
    FileError
        If the file is missing or damaged.
    """
    found = _files.existing(path)
    kind = _kind(found)
    note: Any = None
    if kind == "tiff":
        from napari_selfsup_recon.io import _tiff

        note = _tiff.read_note(found)
    elif kind == "npy":
        from napari_selfsup_recon.io import _numpy

        note = _numpy.read_note(found)
    elif kind == "zarr":
        from napari_selfsup_recon.io import _zarr

        note = _zarr.read_note(found)
    return part_of(note, "provenance")


def _kind(path: Path) -> Kind:
    kind = ENDINGS.get(path.suffix.lower())
    if path.is_dir():
        kind = "zarr"
    if kind is None:
        raise FileError(
            f"{str(path)!r} is of a kind that is not known.",
            hint=f"Choose one of {', '.join(ENDINGS)}, or convert it (for example with Fiji).",
        )
    return kind
