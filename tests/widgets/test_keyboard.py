"""A whole run by keyboard alone: the dock is opened, a method chosen, run, stopped and kept."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget

from gui_helpers import add_cells, settle, training
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]

# More presses than the window has controls: who is not reached by then is never reached.
_MOST = 150


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """A viewer with the keyboard in its hands, and an image."""
    viewer = make_napari_viewer(show=True)
    add_cells(viewer)
    main = viewer.window._qt_window
    main.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is main, timeout=5000)
    return viewer


def focus() -> QWidget:
    """Return what the keys go to."""
    found = QApplication.focusWidget()
    assert found is not None
    return found


def tab_to(qtbot, wanted, *, back=False):
    """Press Tab until ``wanted`` has the keys; returns what was passed."""
    passed = []
    for _ in range(_MOST):
        if focus() is wanted:
            return passed
        passed.append(focus())
        qtbot.keyClick(focus(), Qt.Key.Key_Backtab if back else Qt.Key.Key_Tab)
    names = [w.accessibleName() or type(w).__name__ for w in passed]
    raise AssertionError(f"Tab does not reach {wanted.accessibleName()}, only {names}")


def type_into_palette(qtbot, viewer, text):
    """Open the command palette, find a command by a few letters, and take it."""
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_P, keys)
    qtbot.waitUntil(lambda: isinstance(QApplication.focusWidget(), QLineEdit), timeout=5000)
    qtbot.keyClicks(focus(), text)
    qtbot.keyClick(focus(), Qt.Key.Key_Return)


def open_dock(qtbot, viewer):
    """Open the dock from the palette; returns it when it is in sight."""
    type_into_palette(qtbot, viewer, "Reconstruct images")
    main = viewer.window._qt_window
    qtbot.waitUntil(
        lambda: any(dock.isVisible() for dock in main.findChildren(ReconWidget)), timeout=10000
    )
    qtbot.waitUntil(lambda: QApplication.activeWindow() is main, timeout=5000)
    (dock,) = main.findChildren(ReconWidget)
    return dock


def test_a_run_from_opening_the_dock_to_the_result(window, qtbot):
    dock = open_dock(qtbot, window)
    dock.data.image.setFocus(Qt.FocusReason.ShortcutFocusReason)
    tab_to(qtbot, dock.data.sharpen)
    qtbot.keyClick(focus(), Qt.Key.Key_Right)
    assert dock.data.denoise.isChecked()
    dock.refresh()
    tab_to(qtbot, dock.method.method)
    for _ in range(dock.method.method.count()):
        if dock.method.method.currentData() == "fake":
            break
        qtbot.keyClick(focus(), Qt.Key.Key_Down)
    assert dock.method.method.currentData() == "fake"
    qtbot.waitUntil(dock.method.form.isVisible, timeout=5000)
    tab_to(qtbot, dock.method.form.editors["steps"])
    qtbot.keyClick(focus(), Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(focus(), "5000")
    tab_to(qtbot, dock.method.form.editors["delay"])
    qtbot.keyClick(focus(), Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(focus(), "0.02")
    passed = tab_to(qtbot, dock.run_card.run)
    assert dock.run_card.preview in passed  # in the order in which they stand
    qtbot.keyClick(focus(), Qt.Key.Key_Space)
    assert dock.session.state is State.RUNNING
    job = dock.session.job
    qtbot.waitUntil(lambda: training(job), timeout=20000)
    assert focus() is dock.run_card.pause  # Run is off now: the keys go to what comes next
    qtbot.keyClick(focus(), Qt.Key.Key_Space)
    assert dock.session.state is State.PAUSED
    assert focus() is dock.run_card.resume
    tab_to(qtbot, dock.run_card.stop)
    qtbot.keyClick(focus(), Qt.Key.Key_Space)
    assert focus() not in (dock.run_card.stop, dock.run_card.discard)
    qtbot.waitUntil(lambda: job.done, timeout=20000)
    assert dock.session.state is State.DONE
    assert [layer.name for layer in job.layers][-1].startswith("cells FAKE")
    assert focus() is dock.run_card.run
    settle(qtbot)


def test_shortcuts_work_from_the_canvas(window, qtbot):
    dock = open_dock(qtbot, window)
    dock.data.denoise.setChecked(True)
    dock.refresh()
    dock.method.method.setCurrentIndex(dock.method.method.findData("fake"))
    form = dock.method.form
    form.setValue(form.value().model_copy(update={"steps": 5000, "delay": 0.02}))
    dock.refresh()
    canvas = window.window._qt_viewer.canvas.native
    canvas.setFocus()
    ctrl = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(canvas, Qt.Key.Key_Return, ctrl)
    assert dock.session.state is State.RUNNING
    qtbot.waitUntil(lambda: training(dock.session.job), timeout=20000)
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert dock.session.state is State.RUNNING  # nothing is lost by a key hit in passing
    qtbot.keyClick(canvas, Qt.Key.Key_Period, ctrl)
    assert dock.session.state is State.STOPPING
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=20000)
    settle(qtbot)
