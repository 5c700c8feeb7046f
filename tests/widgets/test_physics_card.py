"""PSFs from theory, repairs and their undoing, the noise, and the choice of baselines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from qtpy.QtCore import Qt

from gui_helpers import settle
from napari_selfsup_recon.physics.psf import Microscope
from napari_selfsup_recon.widgets.choices import PsfKind
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.microscope_form import MicroscopeForm
from napari_selfsup_recon.widgets.states import State

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture
def confocal(viewer):
    """A noisy volume with the voxels of a light microscope."""
    rng = np.random.default_rng(0)
    light = np.broadcast_to(np.linspace(0, 100, 64), (12, 64, 64))
    data = 2.0 * rng.poisson(light) + 100 + rng.normal(0, 3, light.shape)
    return viewer.add_image(
        data.astype(np.float32), name="confocal", scale=(0.3, 0.1, 0.1), units=("um",) * 3
    )


@pytest.fixture
def dock(viewer, confocal, qtbot):
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    for name in ("inserted", "removed", "reordered", "renamed"):
        getattr(viewer.layers.events, name).connect(made.reset_choices)
    made.show()
    made.method.method.setCurrentIndex(made.method.method.findData("fake"))
    made.method.rival.setCurrentIndex(made.method.rival.findData("fake-classic"))
    made.refresh()
    return made


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(dock, kind, qtbot):
    dock.physics.kind.setCurrentIndex(list(PsfKind).index(kind))
    dock.physics.kind.activated.emit(dock.physics.kind.currentIndex())
    dock.refresh()
    qtbot.waitUntil(lambda: dock.physics.check.answer is not None, timeout=60_000)


class TestTheory:
    def test_the_psf_of_the_microscope_is_shown_and_used(self, dock, viewer, qtbot):
        choose(dock, PsfKind.THEORY, qtbot)
        card = dock.physics
        assert not card.microscope.isHidden()
        assert "Widefield, NA 1.2" in card.view.text
        assert "Full width at half maximum" in card.view.text
        assert dock.run_card.run.isEnabled()
        form = card.microscope.form
        form.editors["kind"].setCurrentText("confocal")
        form.editors["wavelength"].setValue(600)
        dock.refresh()
        qtbot.waitUntil(lambda: card.check.answer is not None, timeout=60_000)
        assert "Confocal, NA 1.2, immersion 1.33, 600 nm" in card.view.text
        press(qtbot, dock.run_card.run)
        qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=60_000)
        story = viewer.layers["confocal FAKE 5"].metadata["selfsup_recon"]["physics"]
        assert story["choice"]["psf"] == "theory"
        assert story["choice"]["microscope"]["kind"] == "confocal"
        settle(qtbot)
        # Another dock begins with the same microscope.
        again = ReconWidget(viewer)
        qtbot.addWidget(again)
        assert again.physics.microscope.value() == card.microscope.value()

    @pytest.mark.parametrize(
        ("field", "number", "words"),
        [("numerical_aperture", 1.4, "made for oil (1.518)"), ("wavelength", 0.52, "micrometers")],
    )
    def test_what_cannot_be_is_told_before_run(self, dock, qtbot, field, number, words):
        choose(dock, PsfKind.THEORY, qtbot)
        editor = dock.physics.microscope.form.editors[field]
        before = editor.value()
        editor.setValue(number)
        assert words in dock.physics.microscope.form._error.text()
        dock.refresh()
        assert not dock.run_card.run.isEnabled()
        assert words in dock.run_card.message.text
        editor.setValue(before)
        dock.refresh()
        qtbot.waitUntil(lambda: dock.physics.check.answer is not None, timeout=60_000)
        assert dock.run_card.run.isEnabled()
        assert dock.physics.microscope.form._error.isHidden()

    def test_it_asks_for_the_voxel_size(self, dock, viewer, qtbot):
        viewer.add_image(np.random.default_rng(0).random((32, 32)), name="bare")
        dock.data.image.setCurrentText("bare")
        choose(dock, PsfKind.THEORY, qtbot)
        assert "voxel size" in dock.physics.problem
        qtbot.waitUntil(lambda: not dock.run_card.run.isEnabled(), timeout=5000)
        assert "voxel size" in dock.run_card.message.text

    def test_it_begins_with_what_the_image_says(self, dock, viewer, qtbot):
        choose(dock, PsfKind.THEORY, qtbot)
        known = {"ome": {"LensNA": 1.4, "Immersion": "Oil", "EmissionWavelength": 610}}
        more = {"scale": (0.1, 0.1), "units": ("um",) * 2, "metadata": known}
        viewer.add_image(np.random.default_rng(0).random((32, 32)), name="told", **more)
        dock.data.image.setCurrentText("told")
        dock.refresh()
        form = dock.physics.microscope
        assert form.value() == Microscope(
            numerical_aperture=1.4, immersion_index=1.518, wavelength=610
        )
        assert "numerical aperture" in form._source.text()
        form.form.editors["wavelength"].setValue(700)
        dock.data.image.setCurrentText("confocal")
        dock.refresh()
        # What a person typed stays.
        assert form.value().wavelength == 700

    def test_only_the_rows_of_the_kind_are_shown(self, qtbot):
        form = MicroscopeForm()
        qtbot.addWidget(form)
        editors = form.form.editors
        expected = {"widefield": set(), "confocal": {"excitation", "pinhole"}}
        expected["light-sheet"] = {"sheet_fwhm"}
        for kind, shown in expected.items():
            editors["kind"].setCurrentText(kind)
            names = ("excitation", "pinhole", "sheet_fwhm")
            assert {n for n in names if not editors[n].isHidden()} == shown, kind


def test_every_repair_has_an_undo(dock, viewer, qtbot):
    psf = np.full((5, 9, 9), 10.0)
    psf[2, 3, 4] += 500
    psf[2, 2:5, 3:6] += 100
    viewer.add_image(psf, name="bead PSF", scale=(0.3, 0.1, 0.1), units=("um",) * 3)
    dock.refresh()
    card = dock.physics
    assert card.kind.currentData() is PsfKind.LAYER
    buttons = card.view.findings.buttons
    assert {"background", "centre"} <= set(buttons)
    assert {button.text() for button in buttons.values()} == {"undo"}
    press(qtbot, buttons["centre"])
    dock.refresh()
    assert card.view.findings.buttons["centre"].text() == "redo"
    assert "left where it is" in card.view.text
    assert dock.value().psf.keep == ("centre",)
    press(qtbot, dock.run_card.run)
    qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=60_000)
    story = viewer.layers["confocal FAKE 5"].metadata["selfsup_recon"]["physics"]
    assert story["choice"]["keep"] == ["centre"]
    settle(qtbot)
    press(qtbot, card.view.findings.buttons["background"])
    dock.refresh()
    press(qtbot, card.view.findings.buttons["centre"])
    dock.refresh()
    assert card.view.findings.buttons["centre"].text() == "undo"
    assert dock.value().psf.keep == ("background",)
    # Another PSF is not that PSF.
    card.kind.setCurrentIndex(list(PsfKind).index(PsfKind.GAUSSIAN))
    assert card.value().keep == ()


class TestNoise:
    def unfold(self, dock, qtbot):
        section = dock.physics.noise
        section.fold.expand(animate=False)
        qtbot.waitUntil(lambda: section.estimate is not None, timeout=160_000)
        return section

    def test_nothing_is_computed_while_it_is_folded(self, dock):
        section = dock.physics.noise
        assert section.estimate is None
        assert section.background._running is None
        assert section.value() is None

    def test_estimates_are_shown_and_may_be_corrected(self, dock, viewer, qtbot):
        section = self.unfold(dock, qtbot)
        assert section.boxes["gain"].value() == pytest.approx(2, rel=0.4)
        assert {state.text() for state in section.states.values()} == {"estimated"}
        assert not section.reset.isEnabled()
        assert "Wrong pixels" in section.text
        section.boxes["gain"].setValue(2.5)
        assert section.states["gain"].text() == "yours"
        assert section.states["offset"].text() == "estimated"
        assert dock.value().noise.gain == 2.5
        assert dock.value().noise.offset is None
        press(qtbot, dock.run_card.run)
        qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=60_000)
        story = viewer.layers["confocal FAKE 5"].metadata["selfsup_recon"]["physics"]["noise"]
        assert story["given"] == {"gain": 2.5}
        assert story["used"]["offset"] > 50
        settle(qtbot)
        again = ReconWidget(viewer)
        qtbot.addWidget(again)
        assert again.physics.noise.value() == section.value()
        press(qtbot, section.reset)
        assert section.value() is None
        assert section.boxes["gain"].value() == pytest.approx(section.estimate.gain, rel=1e-3)

    def test_another_offset_moves_the_read_noise(self, dock, qtbot):
        section = self.unfold(dock, qtbot)
        before = section.boxes["read_noise"].value()
        section.boxes["offset"].setValue(section.estimate.offset + 20)
        assert section.boxes["read_noise"].value() > before
        assert section.states["read_noise"].text() == "estimated"

    def test_another_image_is_looked_at(self, dock, viewer, qtbot):
        section = self.unfold(dock, qtbot)
        first = section.estimate
        dock.refresh()
        assert section.estimate is first
        rng = np.random.default_rng(1)
        viewer.add_image(rng.normal(500, 5, (64, 64)), name="other")
        dock.data.image.setCurrentText("other")
        dock.refresh()
        qtbot.waitUntil(lambda: section.estimate not in (None, first), timeout=60_000)
        assert section.boxes["offset"].value() > 400

    def test_holes_are_told(self, dock, viewer, qtbot):
        data = np.random.default_rng(0).random((16, 16))
        data[3, 3] = np.nan
        section = self.unfold(dock, qtbot)
        viewer.add_image(data, name="holes", contrast_limits=(0, 1))
        dock.data.image.setCurrentText("holes")
        dock.refresh()
        qtbot.waitUntil(lambda: "NaN" in section.text, timeout=60_000)
        assert section.estimate is None


class TestBaselines:
    def test_all_classical_methods_are_offered(self, dock):
        card = dock.method
        keys = {card.rival.itemData(i) for i in range(card.rival.count())}
        assert {"richardson-lucy", "total-variation", "wiener"} <= keys
        card.rival.setCurrentIndex(card.rival.findData("total-variation"))
        assert card.value().baseline == "total-variation"
        assert card.value().baseline_options.weight == "auto"

    def test_denoising_may_have_one_and_has_none_at_first(self, dock, viewer, qtbot):
        card = dock.method
        dock.data.denoise.setChecked(True)
        dock.refresh()
        assert card.value().baseline is None
        keys = {card.rival.itemData(i) for i in range(card.rival.count())}
        assert "total-variation" in keys
        assert "wiener" not in keys
        press(qtbot, card.baseline)
        card.rival.setCurrentIndex(card.rival.findData("fake-classic"))
        assert card.value().baseline == "fake-classic"
        dock.refresh()
        press(qtbot, dock.run_card.run)
        qtbot.waitUntil(lambda: dock.session.state is State.DONE, timeout=60_000)
        assert "confocal FAKE-CLASSIC 4" in viewer.layers
        dock.data.sharpen.setChecked(True)
        dock.refresh()
        assert card.value().baseline is not None
        settle(qtbot)

    def test_what_it_chose_is_in_the_name(self, dock, viewer, qtbot):
        card = dock.method
        dock.data.denoise.setChecked(True)
        dock.refresh()
        card.method.setCurrentIndex(card.method.findData("total-variation"))
        assert card.baseline.isHidden()
        options = card.form.value().model_copy(update={"iterations": 10, "device": "cpu"})
        card.form.setValue(options)
        dock.data.part.setCurrentIndex(
            [dock.data.part.itemText(i) for i in range(3)].index("Slice shown")
        )
        press(qtbot, dock.run_card.run)
        stages = set()
        dock.session.progressed.connect(lambda: stages.add(dock.session.job.facts.stage))
        qtbot.waitUntil(lambda: not dock.session.busy, timeout=60_000)
        assert dock.session.state is State.DONE, dock.session.job.details
        (result,) = dock.session.job.layers
        assert re.fullmatch(r"confocal TV [0-9.]+ \(auto\)", result.name)
        assert "Choosing the weight" in stages
        assert not dock.run_card._news.isHidden()
        assert "eight" in dock.run_card._news.text()
        settle(qtbot)
