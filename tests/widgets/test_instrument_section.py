"""The part of the physics card that says what measured."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from qtpy.QtCore import Qt

import recon_fakes
from gui_helpers import settle
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.methods.ei.options import EIOptions
from napari_selfsup_recon.runs.instruments import Sampling, Tomograph
from napari_selfsup_recon.widgets.axis_row import AxisRow
from napari_selfsup_recon.widgets.choices import DataChoice, InstrumentChoice, Intent
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.instrument_section import InstrumentSection
from napari_selfsup_recon.widgets.request import make_request
from napari_selfsup_recon.widgets.wedge_view import WedgeView

pytestmark = pytest.mark.gui


@pytest.fixture(autouse=True)
def _recon_fakes(monkeypatch):
    recon_fakes.install(monkeypatch)


@pytest.fixture
def scan(viewer):
    """Projections with their angles."""
    stack, degrees = recon_fakes.sinogram(slices=3)
    return viewer.add_image(
        np.swapaxes(stack, 0, 1),
        name="scan",
        scale=(1, 0.7, 0.5),
        units=("pixel", "um", "um"),
        axis_labels=("angle", "y", "x"),
        metadata={"theta_deg": degrees.tolist()},
    )


@pytest.fixture
def dock(viewer, scan, qtbot):
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    made.data.reconstruct.setChecked(True)
    made.refresh()
    return made


def test_what_is_set_is_what_is_read(viewer, scan, qtbot):
    section = InstrumentSection(viewer)
    qtbot.addWidget(section)
    section.show()
    flat = viewer.add_image(np.ones((3, 48)), name="light")
    section.reset_choices()
    choice = InstrumentChoice(
        kind="transmission",
        scan=Tomograph(angles="a.txt", air=(0, 9), axis=21.5, span=360, light=2e4, stripes=True),
        flat=weakref.ref(flat),
    )
    section.setValue(choice)
    section.axis.show_found(20.0, 48)
    assert section.value() == choice
    other = InstrumentChoice(kind="inpainting", sampling=Sampling(missing=-1))
    section.setValue(other)
    assert section.value().sampling == other.sampling
    section.air.setText("9:2")
    with pytest.raises(InputError, match="holds nothing"):
        section.value()


def test_layers_are_recognised_by_their_names(viewer, qtbot):
    section = InstrumentSection(viewer)
    qtbot.addWidget(section)
    assert section.value().flat is None
    flat = viewer.add_image(np.ones((3, 48)), name="Flat fields")
    section.reset_choices()
    section.show()
    assert section.value().flat() is flat


def test_the_card_shows_the_scan_and_its_findings(dock):
    section = dock.physics.instrument
    assert not section.isHidden()
    assert dock.physics.view.isHidden()
    assert "half a turn" in section._words.text()
    assert "projections (angle, row, column)" in section.findings.text
    assert section.scan.editors["span"].isHidden()  # the layer knows its angles
    assert section.axis.box.value() == pytest.approx(22.6, abs=0.3)
    assert section.value().scan.axis == "auto"
    assert section.problem == ""
    assert dock.method.method.currentData() == "ei"
    assert dock.method.rival.currentData() == "filtered-back-projection"
    assert dock.data.part.isHidden()
    # It fits a narrow dock, less the scroll bar.
    assert dock.data.minimumSizeHint().width() < 280
    assert dock.physics.minimumSizeHint().width() < 280


def test_methods_follow_the_instrument(dock):
    section = dock.physics.instrument
    section.kind.setCurrentIndex(section.kind.findData("mri"))
    dock.refresh()
    offered = [dock.method.method.itemData(i) for i in range(dock.method.method.count())]
    assert "filtered-back-projection" not in offered
    assert dock.method.rival.currentData() == "least-squares"
    assert "not complex" in section.problem
    assert not dock.run_card.run.isEnabled()


def test_what_is_wrong_is_said_before_anything_starts(dock, tmp_path):
    section = dock.physics.instrument
    np.savetxt(tmp_path / "few.txt", np.arange(7.0))
    section.angles.setText(str(tmp_path / "few.txt"))
    dock.refresh()
    assert "There are 7 angles" in section.problem
    assert not dock.run_card.run.isEnabled()
    section.angles.setText("")
    dock.refresh()
    assert section.problem == ""
    assert dock.run_card.run.isEnabled()


def test_a_limited_range_is_drawn(dock, viewer, scan):
    scan.metadata["theta_deg"] = list(np.linspace(-60, 60, 60))
    dock.physics.instrument.check.forget()
    dock.refresh()
    section = dock.physics.instrument
    assert section.wedge.scan.gap == pytest.approx(60)
    assert "are missing" in section.findings.text


def test_the_wedge_is_red_where_no_view_is(qtbot):
    view = WedgeView()
    qtbot.addWidget(view)
    view.resize(view.sizeHint())
    view.show_angles(np.linspace(-60, 60, 41))
    image = view.grab().toImage()
    ratio = image.width() / view.width()
    middle = view.width() / 2

    def colour(degrees, radius=30):
        x = middle + radius * np.cos(np.deg2rad(degrees))
        y = middle - radius * np.sin(np.deg2rad(degrees))
        return image.pixelColor(round(x * ratio), round(y * ratio))

    for degrees in (80, 90, 100, 270):
        assert colour(degrees).red() > 180
        assert colour(degrees).green() < 130
    for degrees in (0, 30, 180):
        assert not (colour(degrees).red() > 180 and colour(degrees).green() < 130)


def test_the_slider_moves_the_axis_and_find_brings_it_back(qtbot):
    row = AxisRow()
    qtbot.addWidget(row)
    told = []
    row.valueChanged.connect(lambda: told.append(row.value()))
    assert not row.isEnabled()
    row.show_found(22.6, 48)
    assert row.value() == "auto"
    row.slider.setValue(24.0)
    assert row.value() == pytest.approx(24.0)
    row.box.setValue(40.5)
    assert row.value() == 40.5
    assert row.slider.minimum() < 40.5 < row.slider.maximum()
    row.show_found(22.6, 48)
    assert row.value() == 40.5
    row.finder.click()
    assert told[-1] == "auto"
    row.show_found(22.6, 48)
    assert row.box.value() == 22.6


def test_a_slice_follows_the_axis(dock, viewer, qtbot):
    section = dock.physics.instrument
    section.axis.look.setChecked(True)
    qtbot.waitUntil(lambda: section.live.layer is not None, timeout=20000)
    layer = section.live.layer
    assert layer.name == "scan (axis)"
    np.testing.assert_allclose(layer.scale, (0.5, 0.5))
    first = layer.data.copy()
    with qtbot.waitSignal(section.live.shown, timeout=20000):
        section.axis.slider.setValue(26.0)
    assert section.live.layer is layer
    quick = section.live._slice
    dock.refresh()  # the answer for the new axis needs no new operator
    assert section.live._slice is quick
    assert np.abs(layer.data - first).max() > 0.01
    section.axis.look.setChecked(False)
    assert "scan (axis)" not in [x.name for x in viewer.layers]
    section.axis.look.setChecked(True)
    qtbot.waitUntil(lambda: section.live.layer is not None, timeout=20000)
    dock.data.denoise.setChecked(True)
    dock.refresh()
    assert section.live.layer is None


def test_it_runs_and_the_intent_comes_back(dock, viewer, scan, qtbot):
    section = dock.physics.instrument
    section.axis.box.setValue(22.5)
    dock.method.method.setCurrentIndex(dock.method.method.findData("fake-recon"))
    dock.method.rival.setCurrentIndex(dock.method.rival.findData("fake-dagger"))
    dock.start()
    qtbot.waitUntil(lambda: dock.session.job is not None and dock.session.job.done, timeout=20000)
    names = [layer.name for layer in viewer.layers]
    assert names == ["scan", "scan FAKE-DAGGER 2", "scan FAKE-RECON 4"]
    other = ReconWidget(viewer)
    qtbot.addWidget(other)
    assert other.data.value().task == "reconstruct"
    assert other.physics.instrument.value().scan.axis == 22.5
    assert other.method.value().key == "fake-recon"
    settle(qtbot)


def test_a_try_takes_one_slice(dock, viewer, qtbot):
    dock.method.method.setCurrentIndex(dock.method.method.findData("fake-recon"))
    dock.method.baseline.setChecked(False)
    dock.start(attempt=True)
    qtbot.waitUntil(lambda: dock.session.job is not None and dock.session.job.done, timeout=20000)
    (layer,) = dock.session.job.layers
    assert layer.data.shape == (1, 48, 48)
    settle(qtbot)


def test_a_try_takes_the_neighbours_that_the_network_sees(dock, viewer):
    dock.method.method.setCurrentIndex(dock.method.method.findData("ei"))
    tried = make_request(dock.value(), viewer, attempt=True).config.physics.scan
    assert tried.slices == (1, 2)
    dock.method.form.setValue(EIOptions(neighbours="both"))
    tried = make_request(dock.value(), viewer, attempt=True).config.physics.scan
    assert tried.slices == (0, 3)


def test_intents_are_equal_where_choices_are(scan):
    one = Intent(data=DataChoice(layer=weakref.ref(scan), task="reconstruct"))
    assert one == Intent(data=DataChoice(layer=weakref.ref(scan), task="reconstruct"))


def test_the_verdict_comes_before_the_run(dock, qtbot):
    assert not dock.method.meter.isHidden()
    dock.method.meter.click()
    assert "Looking at" in dock.method._verdict.text()
    qtbot.waitUntil(lambda: "can be learned." in dock.method._verdict.text(), timeout=60_000)
    assert "image space" in dock.method._verdict.text()
    dock.data.denoise.setChecked(True)  # it was said of something else
    dock.refresh()
    assert dock.method._verdict.isHidden()
    assert dock.method.meter.isHidden()


def test_methods_that_cannot_be_chosen_say_why(dock):
    box = dock.method.method
    model = box.model()
    grey = {
        box.itemText(i): box.itemData(i, Qt.ItemDataRole.ToolTipRole)
        for i in range(box.count())
        if not model.item(i).isEnabled()
    }
    assert "for sharpening" in grey["Wiener filter"]
    assert all(box.itemData(i) is None for i in range(box.count()) if not model.item(i).isEnabled())
    section = dock.physics.instrument
    section.kind.setCurrentIndex(section.kind.findData("mri"))
    dock.refresh()
    tips = [box.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(box.count())]
    assert all(len(tip) > 20 for tip in tips)
    assert any("Does not fit" in tip for tip in tips)
