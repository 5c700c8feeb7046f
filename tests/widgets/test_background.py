"""Work of seconds beside the window."""

from __future__ import annotations

import threading

import pytest

from napari_selfsup_recon.core.errors import InputError, JobFailedError
from napari_selfsup_recon.widgets.background import Background

pytestmark = pytest.mark.gui


class Told:
    """Keeps what it hears, and in which thread."""

    def __init__(self, background):
        self.done, self.failed, self.busy, self.stages, self.threads = [], [], [], [], set()
        background.busyChanged.connect(self.busy.append)
        background.staged.connect(self.stages.append)

    def take(self, value):
        self.threads.add(threading.current_thread())
        self.done.append(value)

    def refuse(self, error):
        self.failed.append(error)


@pytest.fixture
def background(qapp):
    return Background()


def test_the_result_comes_to_the_thread_of_the_window(background, qtbot):
    told = Told(background)
    inside = set()

    def work():
        inside.add(threading.current_thread())
        yield "one"
        yield "two"
        return 7

    background.start(work, told.take, told.refuse)
    assert background.busy
    qtbot.waitUntil(lambda: not background.busy, timeout=10_000)
    assert (told.done, told.stages, told.busy) == ([7], ["one", "two"], [True, False])
    assert told.threads == {threading.main_thread()}
    assert threading.main_thread() not in inside


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputError("no"), InputError),
        (RuntimeError("a bug"), JobFailedError),
        (ValueError("x"), JobFailedError),
    ],
)
def test_no_error_is_swallowed(background, qtbot, error, kind):
    told = Told(background)

    def work():
        yield "one"
        raise error

    background.start(work, told.take, told.refuse)
    qtbot.waitUntil(lambda: not background.busy, timeout=10_000)
    assert told.done == []
    assert isinstance(told.failed[0], kind)


def test_only_the_last_one_counts_and_never_two_run(background, qtbot):
    told = Told(background)
    gate, running, most = threading.Event(), [], []

    def work(name):
        def stages():
            running.append(name)
            most.append(len(running))
            yield "begun"
            gate.wait(10)
            running.remove(name)
            return name

        return stages

    for name in "abcd":
        background.start(work(name), told.take, told.refuse)
    gate.set()
    qtbot.waitUntil(lambda: not background.busy, timeout=10_000)
    assert told.done == ["d"]
    assert max(most) == 1


def test_cancelled_work_ends_at_its_next_stage(background, qtbot):
    told = Told(background)
    gate, closed, begun = threading.Event(), threading.Event(), threading.Event()

    def work():
        try:
            begun.set()
            gate.wait(10)
            yield "two"
            pytest.fail("it went on")
        finally:
            closed.set()

    background.start(work, told.take, told.refuse)
    assert begun.wait(10)
    background.cancel()
    assert not background.busy
    gate.set()
    assert closed.wait(10)
    qtbot.waitUntil(lambda: background._running is None, timeout=10_000)
    assert (told.done, told.failed) == ([], [])
    background.start(lambda: _value(3), told.take, told.refuse)
    qtbot.waitUntil(lambda: told.done == [3], timeout=10_000)


def _value(value):
    yield "one"
    return value


def test_a_dock_that_is_gone_hears_nothing(qapp, qtbot):
    from qtpy.QtCore import QObject

    parent = QObject()
    background = Background(parent)
    gate, ended = threading.Event(), threading.Event()

    def work():
        yield "one"
        gate.wait(10)
        ended.set()
        return 1

    background.start(work, lambda _: pytest.fail("told"), lambda _: pytest.fail("told"))
    parent.deleteLater()
    qtbot.wait(50)
    gate.set()
    assert ended.wait(10)
    qtbot.wait(50)
