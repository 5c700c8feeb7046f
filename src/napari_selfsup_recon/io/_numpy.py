"""NumPy files: ``.npy`` with a JSON file beside it, and ``.npz`` that hold one array."""

from __future__ import annotations

import json
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement, default_axes
from napari_selfsup_recon.io._facts import (
    arrange,
    by_axis,
    document,
    guesses,
    parse_json,
    part_of,
    slabs,
)
from napari_selfsup_recon.io._files import check_room, damaged

MAP_FROM = 2**28  # bytes; larger files are mapped, not loaded


def sidecar(path: Path) -> Path:
    """Return the JSON file that belongs to ``path``: ``cells.npy`` -> ``cells.npy.json``."""
    return path.with_name(path.name + ".json")


def read_npy(path: Path) -> Measurement:
    """Read an array; voxel size, units and axes come from the JSON file beside it.

    Raises
    ------
    FileError
        If the file is damaged, holds Python objects or no image.
    """
    try:
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise _refusal(path, error) from error
    if data.dtype.kind not in "uifb":
        raise _strange(path, data.dtype)
    if data.nbytes < MAP_FROM:
        check_room(path, data.nbytes)
        data = np.array(data, dtype=data.dtype.newbyteorder("="))
    note = read_note(path)
    facts = part_of(note, "facts") or {}
    axes, notes = facts.get("axes"), list[str]()
    if facts.get("shape") != list(data.shape) or not _names(axes, data.ndim):
        facts, axes = {}, list(default_axes(data.ndim))
        notes = guesses(axes, data.shape, range(data.ndim - 2))
    kept = {key: by_axis(facts, key, axes or ()) for key in ("scale", "units", "translate")}
    name, metadata = facts.get("name"), facts.get("metadata")
    return arrange(
        data,
        axes or (),
        path,
        **kept,
        name=name if isinstance(name, str) else None,
        metadata=metadata if isinstance(metadata, dict) else None,
        notes=notes,
    )


def _names(axes: Any, ndim: int) -> bool:
    return isinstance(axes, list) and len(axes) == ndim and all(isinstance(a, str) for a in axes)


def read_npz(path: Path) -> Measurement:
    """Read the only array of an ``.npz`` file.

    Raises
    ------
    FileError
        If the file is damaged, or holds no array, several, or one that does not fit the memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if len(members) != 1:
                names = ", ".join(info.filename[:-4] for info in members[:8]) or "none"
                raise FileError(
                    f"{str(path)!r} holds {len(members)} arrays ({names}); one is needed.",
                    hint="Save the image alone, with numpy.save.",
                )
            check_room(path, members[0].file_size)
            with archive.open(members[0]) as file:
                version = np.lib.format.read_magic(file)
                read_header = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read_header(file)
            if dtype.kind not in "uifb":
                raise _strange(path, dtype)
            # What the header claims must be there before room is made for it.
            if prod(shape) * dtype.itemsize > members[0].file_size:
                raise damaged(path, "a NumPy file", f"it is too short for the shape {shape}")
        with np.load(path, allow_pickle=False) as arrays:
            data = arrays[arrays.files[0]]
    except FileError:
        raise
    except Exception as error:
        raise _refusal(path, error) from error
    data = np.asarray(data, dtype=data.dtype.newbyteorder("="))
    axes = default_axes(data.ndim)
    return arrange(data, axes, path, notes=guesses(axes, data.shape, range(data.ndim - 2)))


def _refusal(path: Path, error: Exception) -> FileError:
    if "object" in str(error).lower() and "array" in str(error).lower():
        return FileError(
            f"{str(path)!r} holds Python objects, which could run code when they are read.",
            hint="Save the image as an array of numbers.",
        )
    if "pickle" in str(error).lower():  # NumPy says so of anything it does not know
        return damaged(path, "a NumPy file", "it does not begin like one")
    return damaged(path, "a NumPy file", error)


def _strange(path: Path, dtype: np.dtype[Any]) -> FileError:
    return FileError(
        f"{str(path)!r} holds {dtype} values, which are no grey values.",
        hint="Convert it to a real-valued image first.",
    )


def read_note(path: Path) -> Any:
    """Return the JSON beside ``path``, or None."""
    beside = sidecar(path)
    if not beside.is_file():
        return None
    try:
        with beside.open("rb") as file:
            text = file.read(17 * 2**20)
    except OSError as error:
        raise damaged(beside, "a JSON file", error) from error
    return parse_json(text, beside)


def write_npy(part: Path, measurement: Measurement) -> None:
    """Write the values of ``measurement`` as ``.npy``, bit by bit."""
    dtype = measurement.dtype.newbyteorder("=")
    out = np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=measurement.shape)
    try:
        for where, values in slabs(measurement):
            out[where] = values
        out.flush()
    finally:
        del out


def note_text(measurement: Measurement, provenance: Any) -> str:
    """Return the text of the JSON file."""
    return json.dumps(document(measurement, provenance), indent=1)
