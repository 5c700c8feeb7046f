"""Many files, one configuration: rows, resuming, failures, stopping."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import fakes
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Step
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.io.scenes import count_scenes
from napari_selfsup_recon.runs import RunConfig
from napari_selfsup_recon.runs.batch import (
    BatchControl,
    BatchPlan,
    Input,
    Reading,
    RowChanged,
    RowState,
    images_in,
    parts_of,
    plan_batch,
    run_batch,
)
from napari_selfsup_recon.runs.batch.journal import NAME
from napari_selfsup_recon.runs.execute import execute

CONFIG = RunConfig(task="denoise", method="fake-classic", options={"iterations": 3})


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)


def image(path: Path, *leading: int, seed: int = 0) -> Path:
    data = np.random.default_rng(seed).poisson(50, (*leading, 16, 12)).astype(np.uint16)
    axes = ("t", "c", "y", "x")[2 - len(leading) :]
    return volumes.write(path, Measurement(data, axes=axes))


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [image(tmp_path / f"{name}.tif", seed=n) for n, name in enumerate("abc")]


def plan(paths: list[Path], folder: Path | None = None, **more: Any) -> BatchPlan:
    config = more.pop("config", CONFIG)
    return plan_batch(config, [Input(path) for path in paths], folder=folder, **more)


def states(events: list[Event]) -> list[RowState]:
    """Return where every row stands in the end."""
    last = {e.index: e.report.state for e in events if isinstance(e, RowChanged)}
    return [last[n] for n in sorted(last)]


def reports(events: list[Event]) -> list[Any]:
    done = events[-1]
    assert isinstance(done, Done)
    return list(done.result)


def test_every_file_gets_its_result(three: list[Path], tmp_path: Path) -> None:
    before = [path.read_bytes() for path in three]
    todo = plan(three, tmp_path / "new" / "out")
    assert [row.output.name for row in todo.rows] == [
        f"{name}_fake-classic.ome.tif" for name in "abc"
    ]
    events = list(run_batch(todo))
    assert states(events) == [RowState.DONE] * 3
    assert [path.read_bytes() for path in three] == before
    for source, row in zip(three, todo.rows, strict=True):
        np.testing.assert_array_equal(
            np.asarray(volumes.read(row.output).data), np.asarray(volumes.read(source).data)
        )
        story = volumes.read_provenance(row.output)
        assert story is not None
        assert story["method"] == "fake-classic"
    order = [e.index for e in events if isinstance(e, RowChanged)]
    assert order == [0, 1, 2, 0, 0, 1, 1, 2, 2]
    assert sum(isinstance(e, Step) for e in events) == 9
    assert (events[-1].step, events[-1].reason) == (3, "finished")  # type: ignore[attr-defined]
    assert [r.label for r in reports(events)] == ["FAKE-CLASSIC 3"] * 3


def test_one_that_fails_stops_no_other_and_is_tried_again(
    three: list[Path], tmp_path: Path
) -> None:
    good = three[1].read_bytes()
    three[1].write_bytes(b"no image")
    three.append(tmp_path / "gone.tif")
    todo = plan(three, tmp_path / "out")
    events = list(run_batch(todo))
    assert states(events) == [RowState.DONE, RowState.FAILED, RowState.DONE, RowState.FAILED]
    bad, gone = reports(events)[1], reports(events)[3]
    assert "b.tif" in bad.message
    assert bad.hint
    assert "Traceback" in bad.details
    assert (gone.message.startswith("There is no file"), gone.hint) == (True, "Check the name.")
    # That a file is missing is known before anything is run.
    first = [e for e in events if isinstance(e, RowChanged)][:4]
    assert [e.report.state for e in first][3] is RowState.FAILED
    three[1].write_bytes(good)
    stamp = todo.rows[0].output.stat().st_mtime_ns
    again = list(run_batch(todo))
    assert states(again)[:3] == [RowState.EXISTS, RowState.DONE, RowState.EXISTS]
    assert todo.rows[0].output.stat().st_mtime_ns == stamp
    assert "same settings" in reports(again)[0].message


def test_what_fails_on_the_way_leaves_no_file(three: list[Path], tmp_path: Path) -> None:
    """A run that delivers something and then fails is not taken for a result."""
    config = RunConfig(task="denoise", method="fake", options={"failure": "oom", "fail_at": 3})
    todo = plan(three[:1], tmp_path / "out", config=config)
    events = list(run_batch(todo))
    assert states(events) == [RowState.FAILED]
    assert "ran out" in reports(events)[0].message
    assert not todo.rows[0].output.exists()
    assert (
        json.loads((tmp_path / "out" / NAME).read_text())["rows"][todo.rows[0].output.name]["state"]
        == "failed"
    )


def test_results_that_exist_are_never_replaced_unasked(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(run_batch(plan(three[:1], out)))
    other = replace_options(iterations=2)
    todo = plan(three[:1], out, config=other)
    kept = todo.rows[0].output.read_bytes()
    report = reports(list(run_batch(todo)))[0]
    assert report.state is RowState.EXISTS
    assert "other settings" in report.message
    assert todo.rows[0].output.read_bytes() == kept
    anew = reports(list(run_batch(plan(three[:1], out, config=other, overwrite=True))))[0]
    assert (anew.state, anew.label) == (RowState.DONE, "FAKE-CLASSIC 2")


def replace_options(**options: Any) -> RunConfig:
    return CONFIG.model_copy(update={"options": options})


def test_a_result_that_is_not_complete_is_told(three: list[Path], tmp_path: Path) -> None:
    todo = plan(three[:1], tmp_path)
    todo.rows[0].output.write_bytes(b"half")
    report = reports(list(run_batch(todo)))[0]
    assert report.state is RowState.FAILED
    assert "cannot be used" in report.message
    assert todo.rows[0].output.read_bytes() == b"half"


def test_stopping_between_rows_and_going_on(three: list[Path], tmp_path: Path) -> None:
    todo, control, seen = plan(three, tmp_path / "out"), BatchControl(), []
    for event in run_batch(todo, control):
        seen.append(event)
        if isinstance(event, Step):
            control.stop()
    assert states(seen) == [RowState.DONE, RowState.WAITING, RowState.WAITING]
    assert (seen[-1].step, seen[-1].reason) == (1, "stopped")  # type: ignore[attr-defined]
    assert states(list(run_batch(todo))) == [RowState.EXISTS, RowState.DONE, RowState.DONE]


def test_leaving_within_a_row_gives_no_result(three: list[Path], tmp_path: Path) -> None:
    config = RunConfig(task="denoise", method="fake", options={"steps": 500, "delay": 0.001})
    todo, control, seen = plan(three, tmp_path / "out", config=config), BatchControl(), []
    closed = fakes.FakeLearned.closed
    for event in run_batch(todo, control):
        seen.append(event)
        if isinstance(event, Step) and event.index == 2:
            control.leave()
    assert states(seen) == [RowState.WAITING] * 3
    assert fakes.FakeLearned.closed == closed + 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == []


def test_closing_the_generator_ends_the_row(three: list[Path], tmp_path: Path) -> None:
    config = RunConfig(task="denoise", method="fake", options={"steps": 500, "delay": 0.001})
    closed = fakes.FakeLearned.closed
    events = run_batch(plan(three, tmp_path / "out", config=config))
    for event in events:
        if isinstance(event, Step):
            break
    events.close()  # type: ignore[attr-defined]
    assert fakes.FakeLearned.closed == closed + 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_plan_without_a_chance_is_refused_at_once(three: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no files"):
        plan([])
    with pytest.raises(InputError, match="Iterations"):
        plan(three, config=replace_options(iterations=-1))
    with pytest.raises(InputError, match="PSF from a layer"):
        plan(three, config=RunConfig.model_validate(
            {"task": "deconvolve", "method": "fake", "physics": {"psf": "array"}}
        ))  # fmt: skip
    with pytest.raises(InputError, match="cannot be written as"):
        plan(three, ending=".png")
    with pytest.raises(InputError, match="part of a file name"):
        plan(three, suffix="../x")
    inside = image(tmp_path / "a_x.tif")
    with pytest.raises(InputError, match="would be overwritten"):
        plan([three[0], inside], suffix="x", ending=".tif")
    (tmp_path / NAME).write_text("{}")
    with pytest.raises(FileError, match="not the record of a batch"):
        next(iter(run_batch(plan(three))))
    assert (tmp_path / NAME).read_text() == "{}"


def test_names_that_would_collide_get_their_folder(tmp_path: Path) -> None:
    paths = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths.append(image(tmp_path / name / "cell.tif"))
    paths.append(image(tmp_path / "two" / "cell.npy"))
    names = [row.output.name for row in plan(paths, tmp_path / "out", suffix="s").rows]
    assert names == [
        "one_cell_s.ome.tif", "two_cell_tif_s.ome.tif", "two_cell_npy_s.ome.tif"
    ]  # fmt: skip
    assert len(plan([*paths, paths[0]], tmp_path / "out").rows) == 3
    beside = plan(paths[:2]).rows
    assert [row.output.parent for row in beside] == [path.parent for path in paths[:2]]


def test_channels_and_times_of_one_file(tmp_path: Path) -> None:
    movie = image(tmp_path / "movie.tif", 3, 2)
    parts = parts_of(movie, ["channel"])
    assert [part.name for part in parts] == ["movie.tif, channel 0", "movie.tif, channel 1"]
    assert len(parts_of(movie, ["time", "channel"])) == 6
    assert parts_of(image(tmp_path / "flat.tif"), ["time"]) == [Input(tmp_path / "flat.tif")]
    chosen = [replace(parts[1], time="1:3"), Input(movie, time="7")]
    todo = plan_batch(CONFIG, chosen, folder=tmp_path / "out", suffix="s")
    assert [row.output.name for row in todo.rows] == [
        "movie_t1-3_c1_s.ome.tif", "movie_t7_s.ome.tif"
    ]  # fmt: skip
    events = list(run_batch(todo))
    assert states(events) == [RowState.DONE, RowState.FAILED]
    assert "outside the axis t" in reports(events)[1].message
    source = np.asarray(volumes.read(movie).data)
    result = np.asarray(volumes.read(todo.rows[0].output).data)
    np.testing.assert_array_equal(result.squeeze(), source[1:3, 1])


def test_scenes_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    scenes = [np.random.default_rng(n).poisson(50, (16, 12 + n)).astype(np.uint16) for n in (0, 1)]
    with tifffile.TiffWriter(path, ome=True) as tif:
        for scene in scenes:
            tif.write(scene, metadata={"axes": "YX"})
    assert count_scenes(path) == 2
    parts = parts_of(path, ["scene"])
    assert [part.scene for part in parts] == [0, 1]
    todo = plan_batch(CONFIG, parts, folder=tmp_path / "out")
    assert states(list(run_batch(todo))) == [RowState.DONE] * 2
    for scene, row in zip(scenes, todo.rows, strict=True):
        np.testing.assert_array_equal(np.asarray(volumes.read(row.output).data), scene)
    assert count_scenes(image(tmp_path / "a.npy")) == 1
    assert count_scenes(image(tmp_path / "a.zarr")) == 1
    (tmp_path / "bad.tif").write_bytes(b"bad")
    with pytest.raises(FileError):
        count_scenes(tmp_path / "bad.tif")


def test_results_beside_their_inputs_are_no_inputs(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.tif").write_bytes(b"x")
    list(run_batch(plan(three)))
    assert len(list(tmp_path.glob("*.tif"))) == 7
    assert images_in(tmp_path) == three
    assert images_in(tmp_path, "[ab].tif") == three[:2]
    with pytest.raises(FileError, match="has a name like"):
        images_in(tmp_path, "*.npy")
    with pytest.raises(FileError, match="does not lie in the folder"):
        images_in(tmp_path, f"{tmp_path}/*.tif")
    with pytest.raises(FileError, match="no folder"):
        images_in(tmp_path / "gone")


def test_a_psf_that_all_share(three: list[Path], tmp_path: Path) -> None:
    psf = np.zeros((3, 3))
    psf[1, 1] = 1.0
    config = RunConfig.model_validate(
        {"task": "deconvolve", "method": "fake-classic", "physics": {"psf": "array"}}
    )
    first, other = (plan(three, tmp_path / "o", config=config, psf=k * psf + 1) for k in (1, 2))
    assert first.settings != other.settings
    assert states(list(run_batch(first))) == [RowState.DONE] * 3


def test_what_the_files_do_not_say(three: list[Path], tmp_path: Path) -> None:
    reading = Reading(voxel_size=(0.2, 0.1), unit="micrometer")
    todo = plan(three[:1], tmp_path / "out", reading=reading)
    list(run_batch(todo))
    result = volumes.read(todo.rows[0].output)
    assert (result.scale, result.units) == ((0.2, 0.1), ("micrometer",) * 2)


def test_a_voxel_size_for_files_that_do_not_say_theirs(tmp_path: Path) -> None:
    reading = Reading(voxel_size=(0.5,), unit="nanometer", if_missing=True)
    data = np.random.default_rng(0).poisson(50, (16, 12)).astype(np.uint16)
    known = Measurement(data, scale=(0.2, 0.1), units=("micrometer",) * 2)
    paths = [image(tmp_path / "a.tif"), volumes.write(tmp_path / "b.tif", known)]
    todo = plan(paths, tmp_path / "out", reading=reading)
    list(run_batch(todo))
    found = [volumes.read(row.output) for row in todo.rows]
    assert [m.scale for m in found] == [(0.5, 0.5), (0.2, 0.1)]
    assert [m.units[0] for m in found] == ["nanometer", "micrometer"]


def test_a_record_that_cannot_be_written_stops_nothing(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("napari_selfsup_recon.runs.batch.journal.os.replace", refuse)
    monkeypatch.setattr(volumes, "write", lambda path, *_, **__: Path(path).write_bytes(b"x"))
    events = list(run_batch(plan(three, tmp_path / "out")))
    assert states(events) == [RowState.DONE] * 3
    assert sum("disk full" in e.message for e in events if isinstance(e, Notice)) == 3


def test_only_the_method_is_run(three: list[Path], tmp_path: Path) -> None:
    config = RunConfig(task="denoise", method="fake", baseline="fake-classic")
    ran: list[tuple[str, ...]] = []

    def spy(todo: Any, control: Any) -> Iterator[Event]:
        ran.append(tuple(entry.key for entry, _ in todo.methods))
        return execute(todo, control)

    list(run_batch(plan(three[:1], tmp_path / "out", config=config), run=spy))
    assert ran == [("fake",)]
