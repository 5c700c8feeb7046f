"""The dock in a real viewer, through what a person sees and presses."""

from __future__ import annotations

import numpy as np
import pytest
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import QCoreApplication, QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMessageBox,
    QProgressBar,
    QScrollArea,
    QScrollBar,
    QWidget,
)

from gui_helpers import add_cells, settle, training
from napari_selfsup_recon.widgets.choices import Part, PsfKind
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.options_form import OptionsForm
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture
def window(make_napari_viewer_proxy):
    """A viewer with a window, seen as plugins see it."""
    made = make_napari_viewer_proxy()
    add_cells(made)
    return made


@pytest.fixture
def open_dock(qtbot):
    """Return a function that opens a dock and sets it to the fake method."""

    def opener(viewer, **more):
        dock = ReconWidget(viewer)
        if hasattr(viewer, "window"):
            name = f"dock {len(viewer.window.dock_widgets)}"
            viewer.window.add_dock_widget(dock, name=name)
        else:
            qtbot.addWidget(dock)
            follow(viewer, dock)
            dock.show()
        return set_up(dock, **more)

    return opener


def follow(viewer, dock):
    """Connect the dock to the layer list, as napari does."""
    for name in ("inserted", "removed", "reordered", "renamed"):
        getattr(viewer.layers.events, name).connect(dock.reset_choices)


def set_up(dock, *, denoise=True, **options):
    if denoise:
        dock.data.denoise.setChecked(True)
    dock.refresh()
    dock.method.method.setCurrentIndex(dock.method.method.findData("fake"))
    dock.method.baseline.setChecked(False)
    form = dock.method.form
    form.setValue(form.value().model_copy(update=options))
    dock.refresh()
    return dock


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def at_rest(dock, qtbot):
    """The dock can start again, shows no bar, and nothing is left running."""
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
    assert dock.session.state in (State.READY, State.DONE, State.FAILED)
    assert dock.run_card.run.isEnabled()
    assert dock.run_card.preview.isEnabled()
    assert dock.run_card.bar.isHidden()
    assert dock.run_card.discard.isHidden()
    settle(qtbot)


def test_run_from_the_first_press_to_the_results(window, open_dock, qtbot):
    dock = open_dock(window, steps=30, delay=0.02)
    press(qtbot, dock.run_card.run)
    assert dock.session.state is State.RUNNING
    assert not dock.run_card.run.isEnabled()
    assert not dock.data.isEnabled()
    assert not dock.run_card.bar.isHidden()
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=20000)
    result = window.layers["cells FAKE 30"]
    np.testing.assert_allclose(result.scale, window.layers["cells"].scale)
    np.testing.assert_allclose(result.translate, window.layers["cells"].translate)
    assert result.units == window.layers["cells"].units
    at_rest(dock, qtbot)
    assert dock.data.isEnabled()
    assert dock.compare.grid.isEnabled()
    press(qtbot, dock.compare.grid)
    assert window.canvas.grid.enabled
    press(qtbot, dock.compare.grid)
    assert not window.canvas.grid.enabled


def test_napari_opens_the_dock_and_the_samples(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    plugin = "napari-selfsup-recon"
    _, dock = viewer.window.add_plugin_dock_widget(plugin, "Reconstruct images")
    dock = getattr(dock, "__wrapped__", dock)
    assert isinstance(dock, ReconWidget)
    assert {button.text() for button in dock.run_card.message.findChildren(QAbstractButton)}
    press(qtbot, dock.run_card.message.findChildren(QAbstractButton)[0])
    dock.refresh()
    assert len(viewer.layers) >= 2
    assert dock.data.image.layer.name == "beads_3d"
    assert dock.physics.layer.layer.name == "beads_3d PSF"
    assert dock.physics.kind.currentData() is PsfKind.LAYER
    assert dock.run_card.run.isEnabled(), dock.run_card.message.text


def test_pause_resume_stop_and_keep(viewer, cells, open_dock, qtbot):
    dock = open_dock(viewer, steps=5000, delay=0.02)
    card = dock.run_card
    press(qtbot, card.run)
    qtbot.waitUntil(lambda: training(dock.session.job), timeout=10000)
    assert "held-out" in card._numbers.text()
    press(qtbot, card.pause)
    assert dock.session.state is State.PAUSED
    assert card.pause.isHidden()
    assert not card.resume.isHidden()
    press(qtbot, card.resume)
    assert dock.session.state is State.RUNNING
    press(qtbot, card.stop)
    assert not card.stop.isEnabled()
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=10000)
    assert any(layer.name.startswith("cells FAKE") for layer in viewer.layers)
    at_rest(dock, qtbot)


def test_discard(viewer, cells, open_dock, qtbot):
    dock = open_dock(viewer, steps=5000, delay=0.02)
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: training(dock.session.job), timeout=10000)
    press(qtbot, dock.run_card.discard)
    at_rest(dock, qtbot)
    assert dock.session.state is State.READY
    assert [layer.name for layer in viewer.layers] == ["cells"]


@pytest.mark.parametrize(
    ("failure", "words", "buttons"),
    [
        ("oom", "memory", {"Use the CPU", "Smaller part", "Copy details"}),
        ("runtime", "sizes of the tensors", {"Copy details"}),
        ("unstable", "Training failed", {"Copy details"}),
    ],
)
def test_failures_are_told_in_the_dock(
    viewer, cells, open_dock, qtbot, monkeypatch, failure, words, buttons
):
    monkeypatch.setattr(QMessageBox, "exec", lambda *_: pytest.fail("a dialog"))
    dock = open_dock(viewer, failure=failure, fail_at=1)
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: dock.session.state is State.FAILED, timeout=10000)
    message = dock.run_card.message
    assert message.level == "error"
    assert words.lower() in message.text.lower()
    assert {b.text() for b in message.findChildren(QAbstractButton)} == buttons
    at_rest(dock, qtbot)
    dock.method.form.setValue(dock.method.form.value().model_copy(update={"failure": "none"}))
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=10000)
    assert message.level is None
    at_rest(dock, qtbot)


def test_suspicious_results_are_told(viewer, cells, open_dock, qtbot):
    dock = open_dock(viewer, result="nan")
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=10000)
    assert dock.run_card.message.level == "warning"
    assert "NaN" in dock.run_card.message.text
    at_rest(dock, qtbot)


def test_a_preview_replaces_the_one_before(viewer, cells, open_dock, qtbot):
    dock = open_dock(viewer)
    for _ in range(2):
        press(qtbot, dock.run_card.preview)
        assert dock.session.state is State.PREVIEWING
        qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=10000)
    names = [layer.name for layer in viewer.layers]
    assert names == ["cells", "cells FAKE 5 (preview)"]
    at_rest(dock, qtbot)


def test_the_job_outlives_its_dock_and_another_dock_finds_it(window, open_dock, qtbot):
    dock = open_dock(window, steps=5000, delay=0.02)
    dock.data.part.setCurrentIndex(2)
    press(qtbot, dock.run_card.run)
    job = dock.session.job
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    window.window.remove_dock_widget(dock)
    dock.deleteLater()
    qtbot.wait(50)
    before = job.facts.step
    qtbot.waitUntil(lambda: job.facts.step > before, timeout=5000)
    again = ReconWidget(window)
    window.window.add_dock_widget(again, name="again")
    assert again.session.job is job
    assert not again.run_card.run.isEnabled()
    assert again.run_card.stop.isEnabled()
    # What was chosen is there again.
    assert again.method.form.value().steps == 5000
    assert again.data.value().task == "denoise"
    assert again.data.value().part is Part.BOX
    press(qtbot, again.run_card.stop)
    at_rest(again, qtbot)


def test_two_docks_share_the_job_and_nothing_else(window, open_dock, qtbot):
    one = open_dock(window, steps=5000, delay=0.02)
    two = open_dock(window, steps=7)
    assert one.method.form.value().steps == 5000
    assert two.method.form.value().steps == 7
    press(qtbot, one.run_card.run)
    assert not two.run_card.run.isEnabled()
    assert two.run_card.stop.isEnabled()
    press(qtbot, two.run_card.discard)
    at_rest(one, qtbot)
    at_rest(two, qtbot)
    assert one.method.form.value().steps == 5000


def test_closing_the_window_mid_run(window, open_dock, qtbot):
    dock = open_dock(window, steps=5000, delay=0.05)
    press(qtbot, dock.run_card.run)
    job = dock.session.job
    qtbot.waitUntil(lambda: training(job), timeout=10000)
    window.close()
    # napari waits for what still runs; 5000 steps would take minutes.
    GeneratorWorker.await_workers(60_000)
    qtbot.waitUntil(lambda: job.done, timeout=60_000)
    assert job.facts.step < 5000
    assert job.layers == []
    settle(qtbot)


def test_layers_renamed_and_removed_mid_run(viewer, cells, open_dock, qtbot):
    dock = open_dock(viewer, steps=5000, delay=0.02)
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: training(dock.session.job), timeout=10000)
    cells.name = "renamed"
    assert dock.data.image.currentText() == "renamed"
    viewer.layers.remove(cells)
    press(qtbot, dock.run_card.stop)
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
    assert any("FAKE" in layer.name for layer in viewer.layers)
    at_rest(dock, qtbot)


def test_the_image_is_removed_while_it_is_worked_on(window, open_dock, qtbot):
    dock = open_dock(window, steps=5000, delay=0.02)
    cells = window.layers["cells"]
    place = {name: getattr(cells, name) for name in ("scale", "translate", "units")}
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: training(dock.session.job), timeout=10000)
    window.layers.remove("cells")
    job, message = dock.session.job, dock.run_card.message
    assert dock.session.state is State.RUNNING
    assert message.level == "warning"
    assert "'cells' was removed. The run goes on" in message.text
    reached = job.facts.step
    qtbot.waitUntil(lambda: job.facts.step > reached, timeout=10000)  # it does go on
    assert message.isVisibleTo(dock.run_card)
    press(qtbot, dock.run_card.stop)
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
    assert dock.session.state is State.DONE
    (result,) = window.layers
    assert "FAKE" in result.name
    np.testing.assert_allclose(result.scale, place["scale"])
    np.testing.assert_allclose(result.translate, place["translate"])
    assert result.units == place["units"]
    assert "Its result lies where the image was" in message.text
    assert "goes on" not in message.text
    at_rest(dock, qtbot)
    press(qtbot, dock.run_card.preview)  # the message belongs to that run alone
    assert "removed" not in message.text
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
    settle(qtbot)


def test_what_cannot_be_used_is_told_before_any_work(viewer, open_dock, qtbot):
    dock = open_dock(viewer)
    card = dock.run_card
    assert card.message.level == "info"
    assert not card.run.isEnabled()
    assert len(card.message.findChildren(QAbstractButton)) == 3
    viewer.add_labels(np.ones((16, 16), int))
    assert dock.data.image.count() == 0
    cases = {
        "rgb": (np.zeros((16, 16, 3), np.uint8), "colour"),
        "flat": (np.full((16, 16), 7.0), "constant"),
        "thin": (np.random.default_rng(0).random((16, 1)), "1 pixel"),
    }
    for name, (data, words) in cases.items():
        viewer.add_image(data, name=name, rgb=name == "rgb")
        dock.data.image.setCurrentText(name)
        dock.start()
        qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
        assert words in card.message.text, name
        assert card.message.level in ("warning", "error")
        if name == "rgb":
            assert not card.run.isEnabled()
    settle(qtbot)


def test_an_rgb_image_has_a_way_out(viewer, open_dock, qtbot):
    dock = open_dock(viewer)
    rng = np.random.default_rng(0)
    viewer.add_image(
        rng.integers(0, 255, (16, 18, 3), dtype=np.uint8), rgb=True, name="photo", scale=(2, 2)
    )
    dock.refresh()
    (use,) = dock.run_card.message.findChildren(QAbstractButton)
    press(qtbot, use)
    dock.refresh()
    grey = viewer.layers["photo luminance"]
    assert grey.data.shape == (16, 18)
    np.testing.assert_allclose(grey.scale, (2, 2))
    assert dock.data.image.layer.name == grey.name
    assert dock.run_card.run.isEnabled()


def test_holes_in_the_image_are_told(viewer, open_dock, qtbot):
    data = np.random.default_rng(0).random((16, 16))
    data[3, 3] = np.nan
    viewer.add_image(data, name="holes", contrast_limits=(0, 1))
    dock = open_dock(viewer)
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: dock.session.state is State.FAILED, timeout=10000)
    assert "NaN" in dock.run_card.message.text
    at_rest(dock, qtbot)


def test_the_psf_is_checked_in_words(viewer, cells, open_dock, qtbot):
    dock = open_dock(viewer, denoise=False)
    assert dock.physics.kind.currentData() is PsfKind.GAUSSIAN
    assert dock.physics.lateral.suffix() == " µm"
    assert dock.run_card.run.isEnabled()
    psf = np.zeros((3, 7, 7))
    psf[1, 2, 3] = 1
    psf[1, 2:4, 3] += 1
    viewer.add_image(psf, name="PSF", scale=(2.0, 0.5, 0.5), units=("um",) * 3)
    dock.refresh()
    assert dock.physics.kind.currentData() is PsfKind.LAYER
    assert "centre" in dock.physics.view.text.lower()
    viewer.layers["PSF"].data = np.zeros((3, 7, 7))
    dock.refresh()
    assert "zero" in dock.physics.problem
    assert not dock.run_card.run.isEnabled()
    assert "zero" in dock.run_card.message.text
    dock.data.denoise.setChecked(True)
    dock.refresh()
    assert dock.run_card.run.isEnabled()
    dock.data.sharpen.setChecked(True)
    dock.physics.kind.setCurrentIndex(list(PsfKind).index(PsfKind.FILE))
    dock.refresh()
    assert not dock.run_card.run.isEnabled()
    assert "file" in dock.run_card.message.text


def test_the_voxel_size_is_entered_once(viewer, open_dock, qtbot):
    viewer.add_image(np.random.default_rng(0).random((4, 32, 32)), name="plain")
    dock = open_dock(viewer, denoise=False)
    editor = dock.data.voxel
    assert "unknown" in editor._text.text()
    press(qtbot, editor._edit)
    for axis, size in zip("zyx", (0.3, 0.1, 0.1), strict=True):
        editor._boxes[axis].setValue(size)
    viewer.dims.set_current_step(0, 1)
    zoom = viewer.scene.camera.zoom
    press(qtbot, editor._set)
    layer = viewer.layers["plain"]
    # It fills the canvas as before, and the same slice is shown.
    assert viewer.scene.camera.zoom == pytest.approx(10 * zoom, rel=0.05)
    assert viewer.dims.current_step[0] == 1
    np.testing.assert_allclose(layer.scale, (0.3, 0.1, 0.1))
    assert {str(unit) for unit in layer.units} == {"micrometer"}
    dock.refresh()
    assert editor._text.text() == "0.3 × 0.1 × 0.1 µm"
    assert dock.physics.lateral.suffix() == " µm"


def test_the_axes_may_be_read_otherwise(viewer, open_dock, qtbot):
    viewer.add_image(np.random.default_rng(0).random((3, 32, 32)), name="movie")
    dock = open_dock(viewer)
    assert dock.data.value().axes == ("z", "y", "x")
    dock.data.axes.setCurrentIndex(dock.data.axes.findText("t y x"))
    dock.data.axes.activated.emit(1)
    assert dock.data.value().axes == ("t", "y", "x")
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=10000)
    assert viewer.layers["movie FAKE 5"].data.shape == (3, 32, 32)
    at_rest(dock, qtbot)


def test_the_choice_of_layers_stays_when_the_list_changes(viewer, cells, open_dock):
    dock = open_dock(viewer)
    for name in "abc":
        viewer.add_image(np.zeros((4, 4)), name=name)
    # As long as nobody chose, the active image is meant.
    assert dock.data.image.currentText() == "c"
    viewer.layers.selection.active = cells
    assert dock.data.image.layer is cells
    dock.data.image.keep()
    viewer.layers.selection.active = viewer.layers["b"]
    assert dock.data.image.layer is cells
    viewer.layers.move(0, 3)
    assert dock.data.image.currentText() == "cells"
    viewer.layers.remove("cells")
    assert dock.data.image.currentText() in ("a", "b", "c")


def test_intents_make_the_round_trip(viewer, cells, open_dock):
    dock = open_dock(viewer, steps=12)
    dock.run_card.device.setValue("cpu")
    value = dock.value()
    other = open_dock(viewer)
    other.setValue(value)
    assert other.value() == value


def test_shortcuts(viewer, cells, open_dock, qtbot):
    from qtpy.QtGui import QShortcut

    dock = open_dock(viewer, steps=5000, delay=0.02)
    keys = {s.key().toString(): s for s in dock.findChildren(QShortcut)}
    assert set(keys) == {
        "Ctrl+Return",
        "Ctrl+Shift+Return",
        "Ctrl+.",
        "Ctrl+Alt+K",
        "Ctrl+Alt+G",
        "Ctrl+Alt+Left",
        "Ctrl+Alt+Right",
    }
    keys["Ctrl+Return"].activated.emit()
    assert dock.session.state is State.RUNNING
    qtbot.waitUntil(lambda: training(dock.session.job), timeout=10000)
    keys["Ctrl+."].activated.emit()
    assert dock.session.state is State.STOPPING
    at_rest(dock, qtbot)


def test_every_control_has_a_name_and_a_tooltip(viewer, cells, open_dock):
    dock = open_dock(viewer, denoise=False)
    few = len(dock.findChildren(QWidget))
    forms = dock.findChildren(OptionsForm)
    made = sum(len(form.editors) for form in forms)  # the rows of a form are made when they show
    assert len(forms) > 5 and made > 30
    assert len(dock.findChildren(QWidget)) > few + 30
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QProgressBar)
    inner = (QComboBox, QAbstractSpinBox, QScrollBar)
    controls = [
        widget
        for widget in dock.findChildren(QWidget)
        if isinstance(widget, kinds) and not isinstance(widget.parent(), inner)
    ]
    assert len(controls) > 50
    for widget in controls:
        assert widget.accessibleName(), widget
        assert len(widget.toolTip()) > 10, widget.accessibleName()


def test_it_fits_a_narrow_dock(window, open_dock, qtbot):
    dock = open_dock(window, denoise=False)
    (area,) = dock.findChildren(QScrollArea)
    assert dock.minimumSizeHint().width() <= 300
    assert dock.minimumWidth() == 300
    dock.data.voxel._edit.setChecked(True)
    dock.method.method.setCurrentIndex(dock.method.method.findData("ssi"))
    dock.method.form.advanced.expand(animate=False)
    dock.run_card.message.tell(
        "error", "Trouble.", [(f"Button {n}", "Does it.", list) for n in "abc"]
    )
    qtbot.wait(50)
    assert dock.minimumSizeHint().width() <= 300
    scroll_bar = area.verticalScrollBar().sizeHint().width()
    assert area.widget().minimumSizeHint().width() <= 300 - scroll_bar
    # 720 pixels of a laptop less menu bar, title and status bar of napari.
    assert dock.minimumSizeHint().height() < 560


def test_the_voxel_size_follows_the_layer(viewer, cells, open_dock):
    dock = open_dock(viewer, denoise=False)
    told = []
    dock.data.valueChanged.connect(lambda: told.append(True))
    cells.scale = (0.25, 0.125, 0.125)
    cells.units = ("um",) * 3
    assert "0.125" in dock.data.voxel._text.text()
    assert told
    viewer.layers.remove(cells)
    cells.scale = (1, 1, 1)  # of which nobody speaks any more
    assert "0.125" not in dock.data.voxel._text.text() or not dock.data.voxel.isVisibleTo(dock)


def test_no_colours_are_set(viewer, cells, open_dock):
    dock = open_dock(viewer)
    own = [w for w in dock.findChildren(QWidget) if type(w).__module__.startswith("napari_self")]
    assert all(not widget.styleSheet() for widget in own)


def test_a_layer_that_is_a_scan_opens_on_reconstruct(viewer, cells, open_dock):
    dock = open_dock(viewer)
    assert dock.data.task == "denoise"
    scan = viewer.add_image(
        np.random.default_rng(0).random((3, 8, 16)), metadata={"theta_deg": list(range(8))}
    )
    assert dock.data.image.layer is scan
    assert dock.data.task == "reconstruct"
    viewer.layers.selection.active = cells
    assert dock.data.task == "denoise"  # what was chosen before
    cells.axis_labels = ("slice", "angle", "x")
    dock.data.denoise.click()
    dock.data._on_layer()
    assert dock.data.task == "reconstruct"
    dock.data.sharpen.click()
    dock.refresh()
    assert dock.data.task == "deconvolve"  # a person has the last word


def test_a_key_shows_the_source_as_long_as_it_is_held(viewer, cells, qtbot):
    dock = set_up(ReconWidget(viewer))
    dock.start()
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=10000)
    (result,) = dock.session.job.layers
    ((key, peek),) = viewer.keymap.items()
    assert str(key) == "\\"
    held = peek(viewer)
    next(held)
    assert cells.visible
    assert not result.visible
    assert list(held) == []
    assert result.visible
    settle(qtbot)
    second = ReconWidget(viewer)  # does not take the key from the first
    assert list(viewer.keymap.values()) == [peek]
    for widget in (second, dock):
        widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not viewer.keymap
