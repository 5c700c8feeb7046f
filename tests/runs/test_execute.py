"""Execution with methods that do as they are told."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import fakes
from napari_selfsup_recon.core.errors import (
    InputError,
    JobFailedError,
    OutOfMemoryError,
    UnstableTrainingError,
)
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs import Control, Result, RunConfig, _preview, resolve
from napari_selfsup_recon.runs.execute import execute

SHAPE = (24, 20)


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)


def image(*leading: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(1, 1000, (*leading, *SHAPE)).astype(np.uint16)


def plan_for(data: Any = None, *, axes: tuple[str, ...] = (), **config: Any) -> Any:
    given = {"task": "denoise", "method": "fake", "baseline": "fake-classic", **config}
    measurement = Measurement(image() if data is None else data, axes=axes, name="cells")
    return resolve(RunConfig.model_validate(given), measurement)


def results(events: list[Event]) -> list[Result]:
    return [event for event in events if isinstance(event, Result)]


def collect(iterator: Iterator[Event], into: list[Event]) -> None:
    for event in iterator:
        into.append(event)


def test_baseline_comes_first_and_done_last() -> None:
    events = list(execute(plan_for()))
    stages = [(e.name, e.part, e.parts) for e in events if isinstance(e, Stage)]
    assert stages == [
        ("Fake (classical)", 0, 2),
        ("Fake (learned)", 1, 2),
        ("Reconstructing", 1, 2),
    ]
    assert [r.key for r in results(events)] == ["fake-classic", "fake"]
    assert [r.label for r in results(events)] == ["FAKE-CLASSIC 4", "FAKE 5"]
    assert events[-1] == Done(step=5, reason="finished")
    assert sum(isinstance(e, Done) for e in events) == 1
    first = events.index(results(events)[0])
    assert not any(isinstance(e, Step) and e.loss is not None for e in events[:first])


def test_results_keep_the_facts_of_the_source() -> None:
    measurement = Measurement(
        image(2, 3),
        axes=("t", "c", "y", "x"),
        scale=(5.0, 1.0, 0.2, 0.1),
        units=("second", "pixel", "micrometer", "micrometer"),
        name="cells",
        translate=(0.0, 0.0, 10.0, 20.0),
    )
    config = RunConfig(
        task="denoise",
        method="fake",
        region=((2, 18), (4, 20)),
        frames=((0, 1), (1, 1)),
    )
    (result,) = results(list(execute(resolve(config, measurement))))
    out = result.measurement
    assert out.data.dtype == np.float32
    assert out.shape == (2, 1, 16, 16)
    assert out.axes == measurement.axes
    assert out.scale == measurement.scale
    assert out.units == measurement.units
    assert out.translate == (0.0, 1.0, 10.0 + 2 * 0.2, 20.0 + 4 * 0.1)
    assert out.name == "cells FAKE 5"
    np.testing.assert_array_equal(out.data, measurement.data[:, 1:2, 2:18, 4:20])


def test_frames_run_one_by_one_under_one_progress() -> None:
    data = image(3)
    events = list(execute(plan_for(data, axes=("c", "y", "x"))))
    parts = [(e.part, e.parts) for e in events if isinstance(e, Stage) and "Fake" in e.name]
    assert parts == [(n, 6) for n in range(6)]
    assert [r.measurement.shape for r in results(events)] == [data.shape] * 2
    for result in results(events):
        np.testing.assert_array_equal(result.measurement.data, data)


def test_input_is_never_modified_and_may_be_read_only() -> None:
    data = image(2).astype(np.float32)
    before = data.copy()
    data.setflags(write=False)
    list(execute(plan_for(data, axes=("t", "y", "x"))))
    np.testing.assert_array_equal(data, before)


def test_provenance_is_json_safe_and_says_what_was_done() -> None:
    events = list(execute(plan_for(options={"steps": 4, "seed": 7})))
    baseline, learned = (r.provenance for r in results(events))
    text = json.dumps(learned.as_dict(), allow_nan=False)
    assert json.loads(text)["options"]["seed"] == 7
    kept = results(events)[1].measurement.metadata["selfsup_recon"]
    assert kept == learned.as_dict()
    assert learned.method == "fake"
    assert (learned.steps, learned.best_step, learned.reason) == (4, 4, "finished")
    assert learned.scores == {"chosen": pytest.approx(1 / 3)}
    assert learned.source["shape"] == list(SHAPE)
    assert learned.device == "cpu"
    assert learned.seconds > 0
    assert baseline.options["iterations"] == 4
    assert json.dumps(baseline.as_dict(), allow_nan=False)


def test_stop_keeps_the_best_so_far() -> None:
    control = Control()
    events: list[Event] = []
    for event in execute(plan_for(options={"steps": 100}), control):
        events.append(event)
        if isinstance(event, Step) and event.loss is not None and event.index == 10:
            control.stop()
    learned = results(events)[-1]
    assert learned.label == "FAKE 10"
    assert learned.provenance.reason == "stopped"
    np.testing.assert_allclose(learned.measurement.data, image() * 0.55, rtol=1e-6)
    assert events[-1] == Done(step=10, reason="stopped")


def test_stop_during_the_baseline_keeps_its_image_and_skips_the_rest() -> None:
    control = Control()
    events: list[Event] = []
    for event in execute(plan_for(baseline_options={"iterations": 50}), control):
        events.append(event)
        if isinstance(event, Step) and event.index == 10:
            control.stop()
    (baseline,) = results(events)
    assert baseline.key == "fake-classic"
    assert baseline.label == "FAKE-CLASSIC 9"
    np.testing.assert_allclose(baseline.measurement.data, image() * 0.18, rtol=1e-6)
    assert isinstance(events[-1], Done)
    assert events[-1].reason == "stopped"


def test_stop_before_the_start_delivers_nothing() -> None:
    control = Control()
    control.stop()
    assert list(execute(plan_for(), control)) == [Done(step=0, reason="stopped")]


def test_stop_between_frames_delivers_the_frames_that_were_reached() -> None:
    plan = plan_for(image(4), axes=("t", "y", "x"), baseline=None)
    for stop_at, reached in (("Stage", 1), ("Step", 2)):
        control = Control()
        events: list[Event] = []
        part = 0
        for event in execute(plan, control):
            events.append(event)
            part = event.part if isinstance(event, Stage) else part
            second = isinstance(event, Step) and event.index == 2
            if part == 1 and (second or stop_at == "Stage"):
                control.stop()
        (learned,) = results(events)
        assert learned.measurement.shape == (reached, *SHAPE)
        words = f"{reached} of 4 frames"
        assert any(words in e.message for e in events if isinstance(e, Notice))


@pytest.mark.parametrize("show", [True, False])
def test_previews_show_the_preview_region(show: bool) -> None:
    control = Control(show_preview=show)
    plan = plan_for(preview_every=1e-6, preview_region=((4, 12), (2, 12)), options={"steps": 6})
    events = list(execute(plan, control))
    previews = [e for e in events if isinstance(e, Preview)]
    assert bool(previews) is show
    for preview in previews:
        assert preview.image.shape == (8, 10)
        assert preview.image.dtype == np.float32
    if show:
        np.testing.assert_allclose(
            previews[-1].image, image()[4:12, 2:12] * (0.5 + 0.5 * previews[-1].step / 6)
        )


def test_previews_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0  # the first is due at once
    monkeypatch.setattr(_preview, "perf_counter", lambda: now)
    control = Control()
    previews = _preview.Previews((slice(None),) * 2, 2.0, control)
    shown: list[float] = []
    for tick in range(1, 41):
        now = tick / 4  # seconds
        if previews.due:
            # The second one is dear: the next waits three times as long as it took.
            previews.event(np.zeros((2, 2)), tick, began=now - 1.0 if len(shown) == 1 else now)
            shown.append(now)
    assert shown == [0.25, 2.25, 5.25, 7.25, 9.25]
    control.show_preview = False
    now = 99.0
    assert not previews.due
    assert not any(isinstance(e, Preview) for e in execute(plan_for(preview_every=0)))


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ("oom", OutOfMemoryError),
        ("runtime", JobFailedError),
        ("value", JobFailedError),
        ("unstable", UnstableTrainingError),
    ],
)
def test_failures_become_readable_and_keep_what_was_reached(
    failure: str, expected: type[Exception]
) -> None:
    plan = plan_for(options={"failure": failure, "fail_at": 3})
    events: list[Event] = []
    with pytest.raises(expected) as caught:
        collect(execute(plan), events)
    assert not isinstance(caught.value, RuntimeError)
    assert caught.value.__cause__ is not None or failure == "unstable"
    baseline, learned = results(events)
    assert baseline.key == "fake-classic"
    assert learned.label == "FAKE 2"
    assert learned.provenance.reason == "failed"
    assert fakes.FakeLearned.closed


@pytest.mark.parametrize("failure", ["oom", "runtime"])
def test_failures_at_the_first_step_deliver_the_baseline_alone(failure: str) -> None:
    events: list[Event] = []
    with pytest.raises((OutOfMemoryError, JobFailedError)):
        collect(execute(plan_for(options={"failure": failure, "fail_at": 1})), events)
    assert [r.key for r in results(events)] == ["fake-classic"]


def test_a_failing_frame_keeps_the_earlier_ones() -> None:
    plan = plan_for(image(3), axes=("t", "y", "x"), baseline="fake-classic", method=None)
    plan.measurement.data[0, 0, 0] = 5
    events: list[Event] = []
    control = Control()
    for event in execute(plan, control):
        events.append(event)
    assert [r.measurement.shape for r in results(events)] == [(3, *SHAPE)]


@pytest.mark.parametrize(
    ("kind", "word"), [("nan", "NaN"), ("constant", "constant"), ("dark", "lost 90%")]
)
def test_doubtful_results_are_delivered_with_a_notice(kind: str, word: str) -> None:
    events = list(execute(plan_for(options={"result": kind}, baseline=None)))
    notices = [e for e in events if isinstance(e, Notice) and e.level == "warning"]
    assert any(word in notice.message for notice in notices)
    assert len(results(events)) == 1


def test_bad_frames_are_found_before_any_work() -> None:
    data = image(3).astype(np.float32)
    data[2, 1, 1] = np.nan
    plan = plan_for(data, axes=("t", "y", "x"))
    events: list[Event] = []
    with pytest.raises(InputError, match="NaN"):
        collect(execute(plan), events)
    assert not results(events)
    assert {e.name for e in events if isinstance(e, Stage)} == {"Checking the frames"}


def test_closing_early_closes_the_method_and_restores_the_threads() -> None:
    before = torch.get_num_threads()
    closed = fakes.FakeLearned.closed
    running = execute(plan_for(options={"steps": 1000}), Control(threads=1))
    for event in running:
        if isinstance(event, Step) and event.loss is not None:
            break
    running.close()  # type: ignore[attr-defined]
    assert fakes.FakeLearned.closed == closed + 1
    assert torch.get_num_threads() == before


def test_models_are_kept_when_asked_for() -> None:
    plan = plan_for(image(2), axes=("t", "y", "x"))
    assert all(r.models == () for r in results(list(execute(plan))))
    learned = results(list(execute(plan, keep_models=True)))[-1]
    assert [type(m) for m in learned.models] == [fakes.FakeLearned] * 2
    assert all(m.trained for m in learned.models)


def test_unknown_device_fails_before_any_work() -> None:
    plan = plan_for(options={"device": "cuda:77"}, baseline=None)
    if torch.cuda.is_available():
        pytest.skip("the plan refuses it already")
    with pytest.raises(InputError, match="cuda:77"):
        next(iter(execute(plan)))


@pytest.mark.parametrize("failure", ["none", "oom"])
def test_nothing_is_held_after_a_run(failure: str) -> None:
    gc.collect()
    before = len(fakes.FakeLearned.alive)
    events: list[Event] = []
    error: Exception | None = None
    try:
        collect(execute(plan_for(options={"failure": failure})), events)
    except OutOfMemoryError as caught:
        error = caught
    assert (error is not None) is (failure == "oom")
    assert len(results(events)) == 2
    gc.collect()
    assert len(fakes.FakeLearned.alive) == before
