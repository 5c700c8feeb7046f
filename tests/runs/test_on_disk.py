"""Results that are written frame by frame instead of being gathered in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import dask.array
import numpy as np
import pytest

import fakes
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Event, Notice, Stage, Step
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import _files, _pyramid, volumes
from napari_selfsup_recon.io._zarr_write import ZarrImage
from napari_selfsup_recon.runs import Control, Result, RunConfig, resolve
from napari_selfsup_recon.runs._job import _companions
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.plan import RunPlan

PLACE: dict[str, Any] = {"scale": (2.0, 1.0, 0.2, 0.1), "translate": (0.0, 0.0, 3.0, 4.0)}
UNITS = ("second", "pixel", "micrometer", "micrometer")


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)


def movie(*leading: int, shape: tuple[int, int] = (24, 20)) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(1, 1000, (*leading, *shape)).astype(np.uint16)


def plan_for(data: Any, axes: str, **config: Any) -> RunPlan:
    given = {"task": "denoise", "method": "fake", "baseline": "fake-classic", **config}
    facts = {**PLACE, "units": UNITS} if len(axes) == 4 else {}
    measurement = Measurement(data, axes=tuple(axes), name="cells: a/b", **facts)
    return resolve(RunConfig.model_validate(given), measurement)


def results(plan: RunPlan, folder: Path | None, control: Control | None = None) -> list[Result]:
    return [e for e in execute(plan, control, folder=folder) if isinstance(e, Result)]


def collect(iterator: Iterator[Event], into: list[Event]) -> None:
    for event in iterator:
        into.append(event)


@pytest.mark.parametrize("axes", ["tcyx", "ctyx"])
def test_the_same_values_lie_in_a_file_that_others_read(axes: str, tmp_path: Path) -> None:
    plan = plan_for(movie(3, 2), axes)
    for lazy, plain in zip(results(plan, tmp_path), results(plan, None), strict=True):
        assert isinstance(lazy.measurement.data, dask.array.Array)
        assert plain.path is None
        np.testing.assert_array_equal(np.asarray(lazy.measurement.data), plain.measurement.data)
        assert lazy.measurement.axes == plain.measurement.axes
        assert lazy.measurement.name == plain.measurement.name
        assert lazy.path == tmp_path / f"cells_ a_b {lazy.label}.ome.zarr"
        found = volumes.read(lazy.path)
        own = [found.axes.index(axis) for axis in axes]  # OME-Zarr has time before channels
        np.testing.assert_array_equal(np.asarray(found.data).transpose(own), plain.measurement.data)
        for fact in ("scale", "units", "translate"):
            stored = [getattr(found, fact)[i] for i in own]
            assert stored == list(getattr(plain.measurement, fact))
        story = volumes.read_provenance(lazy.path)
        assert story is not None
        assert (story["method"], story["source"]) == (lazy.key, plain.provenance.source)
    assert len(list(tmp_path.iterdir())) == 2  # nothing else is left behind


def test_nothing_is_replaced(tmp_path: Path) -> None:
    plan = plan_for(movie(2), "tyx", baseline=None)
    paths = [results(plan, tmp_path)[0].path for _ in range(2)]
    assert [path.name for path in paths if path] == [
        "cells_ a_b FAKE 5.ome.zarr",
        "cells_ a_b FAKE 5 2.ome.zarr",
    ]


def test_smaller_copies_and_a_single_image(tmp_path: Path) -> None:
    (made,) = results(plan_for(movie(shape=(300, 280)), "yx", baseline=None), tmp_path)
    assert made.path is not None
    full, half = (np.asarray(volumes.read(made.path, level=n).data) for n in (0, 1))
    means = full.reshape(150, 2, 140, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(half, means, rtol=1e-6)


def test_frames_are_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pyramid, "AT_ONCE", 2**20)  # what smaller copies are made of at a time
    data = np.broadcast_to(movie(shape=(512, 512)), (24, 512, 512))
    whole = 4 * data.size
    peaks = []
    for folder in (tmp_path, None):
        plan = plan_for(data, "tyx", baseline=None, options={"steps": 1})
        tracemalloc.start()
        made = results(plan, folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(made) == 1
    assert peaks[0] < 0.6 * whole < whole < peaks[1]


def test_stopped_on_the_way_what_was_reached_is_kept(tmp_path: Path) -> None:
    control = Control()
    plan = plan_for(movie(4, 2), "ctyx", baseline=None)
    made: list[Result] = []
    for event in execute(plan, control, folder=tmp_path):
        if isinstance(event, Stage) and event.part == 3:
            control.stop()
        made += [event] if isinstance(event, Result) else []
    (result,) = made
    assert result.measurement.shape == (2, 2, 24, 20)
    assert result.path is not None
    assert volumes.read(result.path).shape == (2, 2, 24, 20)
    reached = np.isfinite(np.asarray(result.measurement.data)).all(axis=(2, 3))
    assert reached.ravel()[:3].all()


def test_a_full_disk_keeps_the_frames_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, count = ZarrImage.put, iter(range(9))

    def full(self: ZarrImage, index: Any, frame: Any) -> None:
        if next(count) == 2:
            raise OSError(28, "No space left on device")
        put(self, index, frame)

    monkeypatch.setattr(ZarrImage, "put", full)
    made: list[Event] = []
    with pytest.raises(FileError, match="No space left"):
        collect(execute(plan_for(movie(4), "tyx", baseline=None), folder=tmp_path), made)
    (result,) = (event for event in made if isinstance(event, Result))
    assert result.path is not None
    found = np.asarray(volumes.read(result.path).data)
    assert found.shape == (2, 24, 20)
    assert np.isfinite(found).all()
    assert list(tmp_path.iterdir()) == [result.path]


def test_a_discarded_run_leaves_nothing(tmp_path: Path) -> None:
    plan = plan_for(movie(4), "tyx", baseline=None)
    with closing(cast(Generator[Event], execute(plan, folder=tmp_path))) as events:
        for event in events:
            if isinstance(event, Step) and list(tmp_path.rglob("0/c/*")):
                break
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(movie(2), "tyx")
    with pytest.raises(FileError, match="does not exist"):
        next(iter(execute(plan, folder=tmp_path / "missing")))
    odd = plan_for(movie(2, 2), "abyx")
    with pytest.raises(InputError, match="cannot hold the axes"):
        next(iter(execute(odd, folder=tmp_path)))
    monkeypatch.setattr(_files.shutil, "disk_usage", lambda _: _Usage(10, 0, 10))
    with pytest.raises(FileError, match="free on the disk"):
        next(iter(execute(plan, folder=tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_where_it_is_written_is_told(tmp_path: Path) -> None:
    events = list(execute(plan_for(movie(2), "tyx", baseline=None), folder=tmp_path))
    told = [e.message for e in events if isinstance(e, Notice)]
    assert f"Written to {tmp_path / 'cells_ a_b FAKE 5.ome.zarr'}." in told


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_noise_that_was_taken_out_is_not_read_before_it_is_looked_at(
    kind: str, tmp_path: Path
) -> None:
    values = movie(3)
    path = volumes.write(tmp_path / "movie.zarr", Measurement(values, axes=("t", "y", "x")))
    given = {
        "numpy": values,
        "dask": dask.array.from_array(values),
        "zarr": volumes.read(path).data,
    }
    measured = Measurement(given[kind], axes=("t", "y", "x"), name="cells")
    image = measured.with_data(dask.array.ones(values.shape, chunks=(1, 24, 20), dtype=np.float32))
    noise = _companions(measured, image, "ISCL")["residual"]
    assert isinstance(noise.data, dask.array.Array)
    assert (noise.dtype, noise.name) == (np.float32, "cells ISCL noise")
    np.testing.assert_array_equal(np.asarray(noise.data), values.astype(np.float32) - 1)


class _Usage(tuple[int, int, int]):
    """What ``shutil.disk_usage`` returns."""

    def __new__(cls, *values: int) -> _Usage:
        return super().__new__(cls, values)

    @property
    def free(self) -> int:
        return self[2]
