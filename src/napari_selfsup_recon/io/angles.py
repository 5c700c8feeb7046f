"""Angles of a scan in files: one number a view, as instruments and other programs write them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io._files import existing

Angles = NDArray[np.float64]

_TEXT = (".txt", ".csv", ".tlt", ".rawtlt", ".dat", ".tsv", ".ang", ".angles")
_NAMES = ("angle", "theta", "tilt", "deg", "rad", "omega", "phi")
_MOST_BYTES = 16 * 2**20


def read_angles(path: str | os.PathLike[str]) -> Angles:
    """Read the angles of a scan, in the unit in which they were written.

    Parameters
    ----------
    path
        ``.txt``, ``.csv``, ``.tlt``, ``.rawtlt`` and the like: one number a line, or one column of
        a table: that with a name such as ``angle`` or ``theta``, else the first that changes and is
        no counter, else the last. Lines that begin with ``#`` are passed over. ``.npy``, or
        ``.npz`` with one array that has such a name, or one array alone.

    Raises
    ------
    FileError
        If the file is missing, is of no such kind, or holds no angles.
    """
    found = existing(path)
    ending = found.suffix.lower()
    if ending in (".npy", ".npz"):
        return _checked(_from_numpy(found), found)
    if ending not in _TEXT:
        raise FileError(
            f"{str(found)!r} is no file of angles that is known.",
            hint=f"Give one of {', '.join((*_TEXT, '.npy', '.npz'))}.",
        )
    if found.stat().st_size > _MOST_BYTES:
        raise FileError(f"{str(found)!r} is too large for angles.", hint="Choose another file.")
    try:
        text = found.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{str(found)!r} cannot be read as text: {error}.", hint="Choose a text file."
        ) from error
    return _checked(_from_text(text, found), found)


def _from_numpy(path: Path) -> Angles:
    try:
        loaded = np.load(path, allow_pickle=False)
        if path.suffix.lower() == ".npy":
            return np.asarray(loaded)
        with loaded:
            lines = {name: loaded[name] for name in loaded.files if loaded[name].ndim == 1}
    except (OSError, ValueError, EOFError) as error:
        raise FileError(
            f"{str(path)!r} is damaged or holds no numbers.", hint="Save the angles again."
        ) from error
    named = [name for name in lines if any(word in name.lower() for word in _NAMES)]
    chosen = named or list(lines)
    if len(chosen) != 1:
        raise FileError(
            f"{str(path)!r} holds {len(chosen)} arrays that may be angles.",
            hint="Save them alone, or call them 'angles'.",
        )
    return np.asarray(lines[chosen[0]])


def _from_text(text: str, path: Path) -> Angles:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = [_cells(line) for line in lines]
    names: list[str] = []
    if rows and not any(_is_number(cell) for cell in rows[0]):
        names, rows = [cell.strip().lower() for cell in rows[0]], rows[1:]
    if not rows:
        raise FileError(f"{str(path)!r} is empty.", hint="Give one angle a line.")
    if len(rows) == 1:  # all of them in one line
        rows = [[cell] for cell in rows[0]]
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width or not all(map(_is_number, row)):
            raise FileError(
                f"Line {number} of {str(path)!r} is no number: {' '.join(row)!r}.",
                hint="Give one angle a line.",
            )
    table = np.array([[float(cell) for cell in row] for row in rows])
    return np.asarray(table[:, _column(table, names)])


def _cells(line: str) -> list[str]:
    separator = next((mark for mark in (",", ";", "\t") if mark in line), None)
    if separator is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator)) if cell.strip()]


def _column(table: Angles, names: list[str]) -> int:
    for number, name in enumerate(names[: table.shape[1]]):
        if any(word in name for word in _NAMES):
            return number
    for number, column in enumerate(table.T):
        counter = np.array_equal(column - column[0], np.arange(len(column)))
        if np.ptp(column) > 0 and not (counter and table.shape[1] > 1):
            return number
    return int(table.shape[1]) - 1


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _checked(values: Angles, path: Path) -> Angles:
    angles = np.squeeze(values)
    if angles.ndim == 0:
        angles = angles[None]
    if angles.ndim != 1 or angles.dtype.kind not in "uif":
        raise FileError(
            f"{str(path)!r} holds {angles.dtype} values of shape {angles.shape}, no angles.",
            hint="Give one number a view.",
        )
    numbers = angles.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise FileError(
            f"{str(path)!r} holds angles that are no numbers.", hint="Give one number a view."
        )
    return numbers
