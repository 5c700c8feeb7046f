"""Curves of a training as a table."""

from __future__ import annotations

import csv
import math

import pytest

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Notice, Stage, Step
from napari_selfsup_recon.io.curves import COLUMNS, Mark, read_curves, write_curves
from napari_selfsup_recon.runs.history import History


def test_what_is_written_is_read(tmp_path):
    marks = [Mark(0, 0, 1, 0.25, 0.1), Mark(0, 1, 2, 0.5, 1 / 3, 1e-30), Mark(1, 0, 1, 9.0, None)]
    path = write_curves(tmp_path / "curves", [*marks, Mark(1, 0, 2, 9.5, math.nan, math.inf)])
    assert path.name == "curves.csv"
    assert read_curves(path) == [*marks, Mark(1, 0, 2, 9.5, None, None)]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["held_out_score"] == ""
    assert float(rows[1]["training_loss"]) == 1 / 3
    with pytest.raises(FileError, match="already exists"):
        write_curves(path, marks)
    write_curves(path, marks, overwrite=True)
    assert len(read_curves(path)) == 3
    with pytest.raises(InputError, match="nothing was learned"):
        write_curves(tmp_path / "none.csv", [])


@pytest.mark.parametrize("text", ["a,b\n", "", "\x00", ",".join(COLUMNS) + "\n1,2\n"])
def test_other_tables_are_refused(tmp_path, text):
    path = tmp_path / "curves.csv"
    path.write_text(text)
    with pytest.raises(FileError):
        read_curves(path)


def test_steps_are_gathered_frame_by_frame():
    history = History()
    for event in (
        Stage("Classical", 2, 0, 3),
        Step(1, 2),
        Stage("Training", 3, 1, 3),
        Notice("begun"),
        Step(1, 3, 0.5, finished=False),
        Step(1, 3, 0.5),
        Step(2, 3, 0.4, 0.3),
        Step(1, 3, 0.6),  # begun anew
        Stage("Reconstructing", None, 1, 3),
        Step(1, 9),
        Stage("Training", 3, 2, 3),
        Step(1, 3, 0.7),
    ):
        history.take(event)
    found = [(m.frame, m.attempt, m.step, m.loss, m.score) for m in history.marks]
    assert found == [
        (0, 0, 1, 0.5, None),
        (0, 0, 2, 0.4, 0.3),
        (0, 1, 1, 0.6, None),
        (1, 0, 1, 0.7, None),
    ]
    seconds = [m.seconds for m in history.marks[:3]]
    assert seconds == sorted(seconds)
    assert min(m.seconds for m in history.marks) >= 0
