"""The driver: a plain generator, tested without Qt."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from napari_selfsup_recon.core.errors import InputError, JobFailedError, OutOfMemoryError
from napari_selfsup_recon.core.events import Checkpoint, Done, Notice, Stage, Step
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.widgets import driver
from napari_selfsup_recon.widgets.driver import (
    Failure,
    Planned,
    Progress,
    Valve,
    drive,
)
from napari_selfsup_recon.widgets.facts import Facts


def run_of(*events):
    """Return a stand-in for execute that yields ``events``; exceptions are raised."""

    def run(plan, control):
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event

    return run


def driven(*events, plan=lambda: "plan"):
    return list(drive(plan, run_of(*events), Valve(Control())))


def test_steps_are_gathered_and_none_is_lost():
    steps = [Step(i, 500, loss=float(i)) for i in range(1, 501)]
    out = driven(Stage("Training", 500), *steps, Done())
    assert [type(event) for event in out][:2] == [Planned, Stage]
    reports = [event for event in out if isinstance(event, Progress)]
    assert len(reports) < 10
    assert [step.index for report in reports for step in report.steps] == list(range(1, 501))
    assert isinstance(out[-1], Done)


def test_parts_of_steps_and_checkpoints_are_not_reported():
    out = driven(Step(1, 5, finished=False), Checkpoint(1, {}), Notice("hello"), Done())
    assert [type(event) for event in out if event is not None] == [Planned, Notice, Done]


def test_at_most_ten_reports_a_second(monkeypatch):
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr(driver, "time", clock)

    def slow(plan, control):
        for index in range(1, 41):
            clock.now += 0.03
            yield Step(index, 40)

    out = list(drive(lambda: "plan", slow, Valve(Control())))
    reports = [event.steps for event in out if isinstance(event, Progress)]
    assert [step.index for steps in reports for step in steps] == list(range(1, 41))
    assert 9 <= len(reports) <= 12  # in 1.2 seconds


def test_bad_input_is_a_failure_before_any_work():
    def plan():
        raise InputError("It is constant.", hint="Choose another.")

    (failure,) = driven(plan=plan)
    assert isinstance(failure, Failure)
    assert "constant" in str(failure.error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("sizes do not match"), JobFailedError),
        (RuntimeError("CUDA error: out of memory"), OutOfMemoryError),
        (MemoryError(), OutOfMemoryError),
        (ValueError("a bug"), JobFailedError),
        (InputError("no"), InputError),
    ],
)
def test_no_error_is_swallowed(error, kind):
    out = driven(Notice("before"), error)
    assert isinstance(out[-2], Notice)
    assert isinstance(out[-1], Failure)
    assert isinstance(out[-1].error, kind)
    assert type(error).__name__ in out[-1].details
    if kind is not InputError:
        assert as_recon_error(error).__cause__ is error


def test_paused_it_yields_nothings_and_aborted_it_closes_the_run():
    closed = threading.Event()

    def run(plan, control):
        try:
            for index in range(1, 1000):
                yield Step(index, 1000)
        finally:
            closed.set()

    valve = Valve(Control())
    events = drive(lambda: "plan", run, valve)
    assert isinstance(next(events), Planned)
    assert isinstance(next(events), Progress)
    valve.pause()
    assert [next(events) for _ in range(3)] == [None] * 3
    valve.resume()
    valve.abort()
    assert [event for event in events if not isinstance(event, Progress)] == []
    assert closed.is_set()


def test_facts_follow_the_stages():
    facts = Facts()
    facts.begin(Stage("A", 10, part=0, parts=2))
    facts.add((Step(5, 10, loss=1.0, score=2.0, seconds_left=3.0),))
    assert facts.fraction == pytest.approx(0.25)
    assert (facts.loss, facts.score, facts.seconds_left) == (1.0, 2.0, 3.0)
    facts.begin(Stage("Reconstructing", None, part=0, parts=2))
    assert facts.losses == [(5, 1.0)]
    facts.begin(Stage("B", 10, part=1, parts=2))
    assert facts.losses == []
    assert facts.loss is None
    facts.add((Step(9, 10, loss=1.0), Step(1, 10, loss=4.0)))
    assert facts.losses == [(1, 4.0)]  # training began anew
    facts.add((Step(10, 10),))
    assert facts.fraction == 1
