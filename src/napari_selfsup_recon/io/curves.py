"""Loss and held-out score of a training as a table (CSV)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from math import isfinite
from pathlib import Path

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.io import _files

COLUMNS = ("frame", "attempt", "step", "seconds", "training_loss", "held_out_score")
SUFFIX = ".csv"
_LIMIT = 64 * 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """One step of a training.

    Attributes
    ----------
    frame
        Images that were learned from one after another, from 0.
    attempt
        How often training had begun anew, from 0.
    step
        Steps done.
    seconds
        By the clock since the method began with the frame, pauses included.
    loss
        Training loss of the step.
    score
        Held-out score (lower is better), None where there was no look.
    """

    frame: int
    attempt: int
    step: int
    seconds: float
    loss: float | None
    score: float | None = None


def curves_text(marks: Sequence[Mark]) -> str:
    """Return the table: a line a step, columns :data:`COLUMNS`, empty where there is no number."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for mark in marks:
        frame, attempt, step, seconds, loss, score = astuple(mark)
        table.writerow((frame, attempt, step, f"{seconds:.3f}", _number(loss), _number(score)))
    return out.getvalue()


def write_curves(
    path: str | os.PathLike[str], marks: Sequence[Mark], *, overwrite: bool = False
) -> Path:
    """Write the table as a file, ``.csv`` where the name has no ending.

    Raises
    ------
    InputError
        If nothing was learned.
    FileError
        If the file cannot be written, or exists.
    """
    if not marks:
        raise InputError(
            "There are no curves: nothing was learned.", hint="Choose the run of a learned method."
        )
    target = check_curves_path(path, overwrite=overwrite)
    with _files.replacing(target, overwrite=overwrite) as part:
        part.write_text(curves_text(marks), encoding="utf-8")
    return target


def check_curves_path(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path that :func:`write_curves` would write, if it can.

    Raises
    ------
    FileError
        If the folder cannot be written, or the file exists.
    """
    wanted = Path(path).expanduser()
    wanted = wanted if wanted.suffix else wanted.with_name(wanted.name + SUFFIX)
    target = _files.check_target(wanted, overwrite=overwrite)
    if target.is_dir():
        raise FileError(f"{str(target)!r} is a folder.", hint="Choose another name.")
    return target


def read_curves(path: str | os.PathLike[str]) -> list[Mark]:
    """Read what :func:`write_curves` wrote.

    Raises
    ------
    FileError
        If it is no such table.
    """
    found = _files.existing(path)
    try:
        if found.stat().st_size > _LIMIT:
            raise ValueError("it is too large")
        with found.open(encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            if tuple(next(table)) != COLUMNS:
                raise ValueError("its columns are others")
            return [_mark(line) for line in table]
    except (OSError, ValueError, StopIteration, csv.Error) as error:
        raise _files.damaged(found, "a table of a training", error) from error


def _mark(line: Sequence[str]) -> Mark:
    frame, attempt, step, seconds, loss, score = line
    return Mark(
        int(frame),
        int(attempt),
        int(step),
        float(seconds),
        float(loss) if loss else None,
        float(score) if score else None,
    )


def _number(value: float | None) -> str:
    return repr(float(value)) if value is not None and isfinite(value) else ""
