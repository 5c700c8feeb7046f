"""How long the methods take on this machine, beside their names."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fakes
from gui_helpers import add_cells, settle
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Notice
from napari_selfsup_recon.methods.ssi.options import SSIOptions
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.pace import Pace, measure_pace, small_part
from napari_selfsup_recon.runs.plan import resolve
from napari_selfsup_recon.widgets import stopwatch
from napari_selfsup_recon.widgets._humanize import about
from napari_selfsup_recon.widgets.bridge import source_of
from napari_selfsup_recon.widgets.dock import ReconWidget

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch):
    monkeypatch.setattr(stopwatch, "_KNOWN", type(stopwatch._KNOWN)())


@pytest.fixture
def dock(viewer, cells, qtbot, monkeypatch):
    """A dock that offers a learned and a classical method that pretend, and ISCL."""
    few = ("fake", "fake-classic", "iscl", "ei")
    kept = {key: entry for key, entry in stopwatch.METHODS.items() if key in few}
    monkeypatch.setattr(stopwatch.METHODS, "_entries", kept)
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    made.data.denoise.setChecked(True)
    made.refresh()
    choose(made, "fake", steps=6000, delay=0.02)
    return made


def choose(dock, key, **options):
    dock.method.method.setCurrentIndex(dock.method.method.findData(key))
    form = dock.method.form
    form.setValue(form.value().model_copy(update=options))
    dock.method.baseline.setChecked(False)
    dock.refresh()


def shown(dock):
    """What stands in the list, by key."""
    box = dock.method.method
    return {box.itemData(i): box.itemText(i) for i in range(box.count()) if box.itemData(i)}


def measured(qtbot, dock):
    dock.method.clock.click()
    qtbot.waitUntil(lambda: not dock.timing.stopwatch.busy, timeout=20_000)


def begin(qtbot, dock):
    """Measure, and come back while a method trains."""
    stages = []
    dock.timing.stopwatch._background.staged.connect(stages.append)
    dock.method.clock.click()
    qtbot.waitUntil(lambda: "Training" in stages, timeout=10_000)


def test_times_stand_beside_the_methods(dock, qtbot):
    assert not any("about" in text for text in shown(dock).values())
    dock.method.clock.click()
    assert not dock.method.clock.isEnabled()
    assert dock.method.clock.text() == "Measuring Fake (learned) ..."
    qtbot.waitUntil(lambda: not dock.timing.stopwatch.busy, timeout=20_000)
    assert dock.method.clock.isEnabled()
    texts = shown(dock)
    assert texts["fake"] in [f"Fake (learned), about {n} min" for n in (2, 3)]
    assert texts["fake-classic"] == "Fake (classical), below 1 s"
    # It cannot be measured without clean examples, and says so.
    assert texts["iscl"] == "With clean examples (ISCL)"
    tip = dock.method.method.itemData(dock.method.method.findData("iscl"), 3)
    assert "clean examples, too" in tip
    assert "Here: about" in dock.method._summary.text()
    assert "of training" in dock.method._summary.text()
    assert dock.method.method.currentData() == "fake"


def test_what_is_known_is_not_measured_again(dock, viewer, qtbot):
    measured(qtbot, dock)
    count = fakes.FakeLearned.closed
    choose(dock, "fake", steps=600, delay=0.02)
    assert "about 1" in shown(dock)["fake"]
    assert shown(dock)["fake"].endswith(" s")
    measured(qtbot, dock)
    assert fakes.FakeLearned.closed == count
    choose(dock, "fake", delay=0.01)  # another thing to measure
    assert shown(dock)["fake"] == "Fake (learned)"
    choose(dock, "fake", delay=0.02)
    assert "about" in shown(dock)["fake"]
    dock.run_card.device.setValue("cuda")
    dock.refresh()
    assert shown(dock)["fake"] == "Fake (learned)"
    dock.run_card.device.setCurrentText("auto")
    larger = add_cells(viewer, name="larger")
    larger.data = larger.data.repeat(2, axis=1)
    dock.data.image.choose(larger)
    dock.refresh()
    assert shown(dock)["fake"] == "Fake (learned)"


def test_a_run_comes_first(dock, viewer, qtbot):
    choose(dock, "fake", steps=4, delay=0.3)
    begin(qtbot, dock)
    dock.start()
    assert not dock.timing.stopwatch.busy
    assert dock.method.clock.text() == "How &long here?"
    qtbot.waitUntil(lambda: dock.session.job.done, timeout=20_000)
    assert dock.session.job.error is None
    assert not any(isinstance(known, Pace) for known in stopwatch._KNOWN.values())
    settle(qtbot)


def test_closing_the_viewer_ends_it(make_napari_viewer, qtbot, monkeypatch):
    monkeypatch.setattr("napari_selfsup_recon.runs.pace._LOOK", 60)
    monkeypatch.setattr("napari_selfsup_recon.runs.pace._PATIENCE", 60)
    viewer = make_napari_viewer()
    add_cells(viewer)
    dock = ReconWidget(viewer)
    viewer.window.add_dock_widget(dock, name="dock")
    dock.data.denoise.setChecked(True)
    dock.refresh()
    choose(dock, "fake", steps=6000, delay=0.05)
    begin(qtbot, dock)
    viewer.close()
    qtbot.waitUntil(
        lambda: not [t for t in threading.enumerate() if t.name == "background"], timeout=2000
    )


def test_without_an_image_it_says_so(viewer, qtbot):
    dock = ReconWidget(viewer)
    qtbot.addWidget(dock)
    dock.method.clock.click()
    assert not dock.timing.stopwatch.busy
    assert "no image" in dock.method._verdict.text()


def pace_of(layer, key, **options):
    config = RunConfig(task="denoise", method=key, options=options)
    measurement = source_of(layer).measurement
    work = measure_pace(resolve(config, measurement), threads=1)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_the_pace_is_that_of_the_steps(cells):
    pace = pace_of(cells, "fake", steps=30, delay=0.05)
    assert pace.step == pytest.approx(0.05, rel=0.3)
    assert pace.seconds(fakes.FakeOptions(steps=100)) == pytest.approx(5, rel=0.3)
    one = pace_of(cells, "fake", steps=1, delay=0.05)
    assert 0.04 < one.step < 0.5
    once = pace_of(cells, "fake-classic", iterations=4, delay=0.05)
    assert once.whole == pytest.approx(0.2, rel=0.5)
    assert once.ended


def test_what_takes_too_long_is_not_waited_for(cells, monkeypatch):
    monkeypatch.setattr("napari_selfsup_recon.runs.pace._PATIENCE", 0.2)
    long = pace_of(cells, "fake", steps=30, delay=1.0)
    assert 0.9 < long.step < 3  # one step is all that was waited for
    monkeypatch.setattr(
        fakes.FakeLearned, "train", lambda self, y, **_: (Notice("...") for _ in iter(int, 1))
    )
    with pytest.raises(InputError, match="Preparing took"):
        pace_of(cells, "fake", steps=30)
    pace = pace_of(cells, "fake-classic", iterations=40, delay=0.05)
    assert not pace.ended
    assert 0.1 < pace.whole < 1


def test_a_part_is_enough(viewer):
    layer = viewer.add_image(np.zeros((3, 2, 500, 600)), axis_labels=("t", "c", "y", "x"))
    measurement = source_of(layer).measurement
    config = RunConfig(task="denoise", method="ssi", baseline="total-variation", trust=True)
    small, parts = small_part(config, measurement, SSIOptions())
    assert small.region == ((170, 330), (220, 380))
    assert small.frames == ((0, 0),)
    assert parts == pytest.approx(500 * 600 / 160**2 * 6)
    assert small.baseline is None
    assert small.options == {"start": "none"}
    large, _ = small_part(config, measurement, SSIOptions(crop=256))
    assert large.region == ((106, 394), (156, 444))


def test_times_are_told_roughly():
    told = [about(s) for s in (0.3, 4.4, 41, 58, 200, 3000, 7000)]
    assert told == [
        "below 1 s",
        "about 4 s",
        "about 40 s",
        "about 1 min",
        "about 3 min",
        "about 50 min",
        "about 2 h",
    ]
    assert Pace(step=0.5).seconds(SSIOptions(steps=10)) == 5
