"""The dock that makes PSFs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.layers import Image, Points
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QScrollBar,
    QTabBar,
    QWidget,
)

from napari_selfsup_recon.physics import psf
from napari_selfsup_recon.widgets import beads_page, theory_page
from napari_selfsup_recon.widgets.bridge import is_psf
from napari_selfsup_recon.widgets.choices import PsfKind
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.psf_dock import PsfWidget

pytestmark = pytest.mark.gui

FWHM, SCALE = (0.9, 0.36, 0.36), (0.3, 0.12, 0.12)
# Four whole ones, one at the border, and two that touch.
CENTRES = [(12, 20, 20), (12, 20, 52), (11, 52, 20), (13, 50, 50)]
EDGE, TOUCHING = (12, 1, 36), [(12, 36, 76), (12, 36, 80)]


def slide(seed=0):
    """A volume of beads: their image is a Gaussian of known width."""
    rng = np.random.default_rng(seed)
    grid = np.indices((25, 72, 96), dtype=float)
    sigma = np.array(FWHM) / np.array(SCALE) / 2.3548
    clean = np.full(grid.shape[1:], 10.0)
    for centre in (*CENTRES, EDGE, *TOUCHING):
        away = sum(((g - c) / s) ** 2 for g, c, s in zip(grid, centre, sigma, strict=True))
        clean += 400 * np.exp(-away / 2)
    return rng.poisson(clean).astype(np.uint16)


@pytest.fixture
def beads(viewer):
    return viewer.add_image(
        slide(), name="slide", scale=SCALE, units=("um",) * 3, translate=(5.0, 6.0, 7.0)
    )


@pytest.fixture
def open_dock(viewer, qtbot):
    def opener(kind=PsfWidget):
        made = kind(viewer)
        qtbot.addWidget(made)
        for name in ("inserted", "removed", "reordered", "renamed"):
            getattr(viewer.layers.events, name).connect(made.reset_choices)
        made.show()
        return made

    return opener


def press(qtbot, dock, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.background.busy, timeout=60_000)


def psfs(viewer):
    return [x for x in viewer.layers if isinstance(x, Image) and is_psf(x)]


class TestTheory:
    def test_a_psf_with_the_voxels_of_the_image(self, viewer, beads, open_dock, qtbot):
        dock = open_dock()
        form = dock.theory.microscope.form
        form.editors["numerical_aperture"].setValue(0.8)
        press(qtbot, dock, dock.theory.compute)
        (made,) = psfs(viewer)
        direct = psf.theoretical(psf.Microscope(numerical_aperture=0.8), voxel_size=SCALE)
        np.testing.assert_allclose(made.data, direct.astype(np.float32))
        np.testing.assert_allclose(made.scale, SCALE)
        assert {str(unit) for unit in made.units} == {"micrometer"}
        assert made.axis_labels == ("z", "y", "x")
        assert not made.visible
        assert viewer.layers.selection.active is beads
        facts = made.metadata["selfsup_recon"]
        assert facts["microscope"]["numerical_aperture"] == 0.8
        assert facts["fwhm"] == pytest.approx(psf.fwhm(direct, SCALE))
        assert "µm" in dock.view.text
        assert made.name in dock.message.text
        # Another dock of this viewer begins with the same microscope.
        assert open_dock().theory.microscope.value().numerical_aperture == 0.8

    def test_the_other_dock_finds_it(self, viewer, beads, open_dock, qtbot):
        other = open_dock(ReconWidget)
        dock = open_dock()
        press(qtbot, dock, dock.theory.compute)
        other.refresh()
        assert other.physics.kind.currentData() is PsfKind.LAYER
        assert other.physics.layer.layer is psfs(viewer)[0]
        assert other.data.image.layer is beads
        assert other.run_card.run.isEnabled(), other.run_card.message.text

    def test_the_voxel_size_is_asked_for_and_may_be_given_here(self, viewer, open_dock, qtbot):
        layer = viewer.add_image(np.zeros((4, 16, 16)), name="bare")
        dock = open_dock()
        press(qtbot, dock, dock.theory.compute)
        assert dock.message.level == "error"
        assert "voxel size" in dock.message.text
        dock.theory.image.voxel.committed.emit((0.3, 0.1, 0.1), "micrometer")
        np.testing.assert_allclose(layer.scale, (0.3, 0.1, 0.1))
        press(qtbot, dock, dock.theory.compute)
        assert dock.message.level == "info"
        assert len(psfs(viewer)) == 1

    def test_impossible_microscopes_are_told(self, viewer, beads, open_dock, qtbot):
        dock = open_dock()
        dock.theory.microscope.form.editors["numerical_aperture"].setValue(1.45)
        press(qtbot, dock, dock.theory.compute)
        assert "made for oil" in dock.message.text
        assert psfs(viewer) == []

    def test_it_can_be_cancelled(self, viewer, beads, open_dock, qtbot, monkeypatch):
        gate, begun = threading.Event(), threading.Event()

        def slow(*_):
            begun.set()
            gate.wait(30)
            return np.ones((3, 3, 3)) / 27

        monkeypatch.setattr(theory_page, "theoretical", slow)
        dock = open_dock()
        qtbot.mouseClick(dock.theory.compute, Qt.MouseButton.LeftButton)
        assert begun.wait(30)
        qtbot.waitUntil(lambda: dock._stage.text() == "Computing the PSF", timeout=10_000)
        assert not dock.theory.isEnabled()
        assert not dock.bar.isHidden()
        qtbot.mouseClick(dock.cancel, Qt.MouseButton.LeftButton)
        assert dock.theory.isEnabled()
        assert dock.bar.isHidden()
        gate.set()
        qtbot.waitUntil(lambda: dock.background._running is None, timeout=30_000)
        assert psfs(viewer) == []


class TestBeads:
    @pytest.fixture
    def dock(self, viewer, beads, open_dock):
        made = open_dock()
        made.tabs.setCurrentIndex(1)
        return made

    def test_found_beads_are_points_with_reasons(self, viewer, beads, dock, qtbot):
        press(qtbot, dock, dock.beads.search)
        points = viewer.layers["slide beads"]
        assert isinstance(points, Points)
        np.testing.assert_allclose(points.scale, SCALE)
        np.testing.assert_allclose(points.translate, (5, 6, 7))
        states = dict(zip(points.features["bead"], points.features["reason"], strict=True))
        assert set(states) == {"used", "left out"}
        used = points.data[points.features["bead"] == "used"]
        assert len(used) == 4
        for centre in CENTRES:
            assert np.abs(used - centre).max(axis=1).min() < 0.5
        reasons = set(points.features["reason"]) - {""}
        assert any("border" in reason for reason in reasons)
        assert any("touch" in reason for reason in reasons)
        left = points.features["bead"] == "left out"
        assert {str(s) for s in points.symbol[left]} == {"square"}
        assert {str(s) for s in points.symbol[~left]} == {"disc"}
        assert psfs(viewer) == []
        assert "4 of" in dock.view.text
        assert dock.beads.points.layer is points
        # The slice of the beads is shown.
        assert viewer.dims.point[0] == pytest.approx(5 + 12 * 0.3, abs=0.5)

    def test_the_average_is_a_psf_layer(self, viewer, beads, dock, qtbot):
        press(qtbot, dock, dock.beads.average)
        (made,) = psfs(viewer)
        assert made.name == "slide bead PSF"
        np.testing.assert_allclose(made.scale, SCALE)
        facts = made.metadata["selfsup_recon"]
        assert facts["fwhm"] == pytest.approx(FWHM, rel=0.05)
        assert len(facts["beads"]) == 4
        assert "µm (z)" in dock.view.text
        assert "differ from their mean" in dock.view.text
        assert made.data.sum() == pytest.approx(1, rel=1e-5)

    def test_points_that_were_edited_are_used(self, viewer, beads, dock, qtbot):
        press(qtbot, dock, dock.beads.search)
        points = viewer.layers["slide beads"]
        keep = [i for i, p in enumerate(points.data) if np.abs(p - CENTRES[3]).max() > 2]
        points.data = points.data[keep]
        press(qtbot, dock, dock.beads.average)
        (made,) = psfs(viewer)
        assert len(made.metadata["selfsup_recon"]["beads"]) == 3
        assert sum("beads" in layer.name for layer in viewer.layers) == 1

    def test_points_of_a_person_elsewhere_in_space(self, viewer, beads, dock, qtbot):
        # The same places, in the units of the world.
        world = np.array(CENTRES) * SCALE + (5.0, 6.0, 7.0)
        mine = viewer.add_points(world, name="mine", units=("um",) * 3)
        dock.beads.points.choose(mine)
        press(qtbot, dock, dock.beads.average)
        (made,) = psfs(viewer)
        assert len(made.metadata["selfsup_recon"]["beads"]) == 4

    @pytest.mark.parametrize(
        ("points", "words"),
        [(np.zeros((1, 2)), "2 axes"), (np.zeros((0, 3)), "no points"), ([[900, 0, 0]], "outside")],
    )
    def test_points_that_do_not_fit(self, viewer, beads, dock, qtbot, points, words):
        points = np.array(points, dtype=float)
        mine = viewer.add_points(points, ndim=points.shape[1], name="mine")
        dock.beads.points.choose(mine)
        press(qtbot, dock, dock.beads.average)
        assert dock.message.level == "error"
        assert words in dock.message.text

    @pytest.mark.parametrize("what", ["flat", "border", "holes"])
    def test_no_bead_at_all(self, viewer, open_dock, qtbot, what):
        data = np.random.default_rng(0).poisson(10, (9, 32, 32)).astype(float)
        if what == "border":
            data[4, :3, 10:13] += 500
        if what == "holes":
            data[2, 2, 2] = np.nan
        viewer.add_image(data, name="slide", contrast_limits=(0, 100))
        dock = open_dock()
        dock.tabs.setCurrentIndex(1)
        press(qtbot, dock, dock.beads.search)
        words = {"flat": "bead", "border": "border", "holes": "NaN"}[what]
        assert dock.message.level == "error"
        assert words in dock.message.text
        assert psfs(viewer) == []

    def test_only_the_frame_in_view_counts(self, viewer, open_dock, qtbot):
        data = np.stack([np.zeros_like(slide()), slide()])
        viewer.add_image(
            data, name="two", scale=(1, *SCALE), units=("s", "um", "um", "um"),
            axis_labels=("t", "z", "y", "x"),
        )  # fmt: skip
        viewer.dims.set_point(0, 1)
        dock = open_dock()
        dock.tabs.setCurrentIndex(1)
        press(qtbot, dock, dock.beads.search)
        points = viewer.layers["two beads"]
        assert points.ndim == 4
        assert set(points.data[:, 0]) == {1.0}
        press(qtbot, dock, dock.beads.average)
        (made,) = psfs(viewer)
        assert made.ndim == 3

    def test_real_beads(self, viewer, open_dock, qtbot, data_dir):
        from napari_selfsup_recon.io import volumes

        read = volumes.read(data_dir / "microscopy_3d" / "confocal_beads_41x150x150.tif")
        viewer.add_image(read.data, name="real", scale=read.scale, units=read.units)
        dock = open_dock()
        dock.tabs.setCurrentIndex(1)
        press(qtbot, dock, dock.beads.average)
        (made,) = psfs(viewer)
        assert len(made.metadata["selfsup_recon"]["beads"]) == 4
        widths = np.array(made.metadata["selfsup_recon"]["fwhm"]) / read.scale
        assert widths == pytest.approx((5, 11, 7.5), rel=0.15)


class TestPrepare:
    @pytest.fixture
    def dock(self, viewer, beads, open_dock):
        bead = np.full((7, 13, 13), 20.0)
        bead[3, 5, 6] += 900
        bead[2:5, 4:7, 5:8] += 200
        viewer.add_image(bead, name="raw PSF", scale=SCALE, units=("um",) * 3)
        made = open_dock()
        made.tabs.setCurrentIndex(2)
        made.prepare.image.box.choose(beads)
        return made

    def test_repairs_are_told_undone_and_kept(self, viewer, dock, qtbot):
        press(qtbot, dock, dock.prepare.look)
        buttons = dock.view.findings.buttons
        assert {"background", "centre"} <= set(buttons)
        assert len(psfs(viewer)) == 1
        press(qtbot, dock, buttons["centre"])
        assert dock.view.findings.buttons["centre"].text() == "redo"
        press(qtbot, dock, dock.prepare.add)
        made = viewer.layers["raw PSF prepared"]
        assert made.metadata["selfsup_recon"]["keep"] == ["centre"]
        peak = np.array(np.unravel_index(made.data.argmax(), made.data.shape))
        assert (peak - np.array(made.data.shape) // 2).tolist() == [0, -1, 0]
        assert made.data.sum() == pytest.approx(1, rel=1e-5)

    def test_a_file_becomes_a_layer(self, viewer, beads, open_dock, qtbot, tmp_path):
        np.save(tmp_path / "measured.npy", psf.gaussian(FWHM, SCALE))
        dock = open_dock()
        dock.tabs.setCurrentIndex(2)
        dock.prepare.image.box.choose(beads)
        dock.prepare.load(str(tmp_path / "measured.npy"))
        qtbot.waitUntil(lambda: "measured PSF" in viewer.layers, timeout=30_000)
        qtbot.waitUntil(lambda: not dock.background.busy, timeout=30_000)
        assert dock.prepare.psf.layer is viewer.layers["measured PSF"]
        assert "Full width" in dock.view.text
        dock.prepare.load(str(tmp_path / "none.tif"))
        qtbot.waitUntil(lambda: dock.message.level == "error", timeout=30_000)
        assert "none.tif" in dock.message.text

    def test_what_is_no_psf_is_refused(self, viewer, dock, qtbot):
        viewer.layers["raw PSF"].data = np.zeros((5, 5, 5))
        press(qtbot, dock, dock.prepare.add)
        assert dock.message.level == "error"
        assert "zero" in dock.message.text
        dock.prepare.psf.choose(viewer.layers["slide"])
        press(qtbot, dock, dock.prepare.add)
        assert "as PSF and as image" in dock.message.text


def test_every_control_has_a_name_and_a_tooltip(viewer, beads, open_dock):
    dock = open_dock()
    assert dock.theory.microscope.form.editors  # its rows are made now
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox, QTabBar)
    inner = (QComboBox, QAbstractSpinBox, QScrollBar, QTabBar)
    controls = [
        widget
        for widget in dock.findChildren(QWidget)
        if isinstance(widget, kinds) and not isinstance(widget.parent(), inner)
    ]
    assert len(controls) > 25
    for widget in controls:
        assert widget.accessibleName(), widget
        assert len(widget.toolTip()) > 10, widget.accessibleName()
    own = [w for w in dock.findChildren(QWidget) if type(w).__module__.startswith("napari_self")]
    assert all(not widget.styleSheet() for widget in own)


def test_it_is_in_the_menu_and_fits_a_narrow_dock(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    viewer.add_image(slide(), name="slide", scale=SCALE, units=("um",) * 3)
    _, main = viewer.window.add_plugin_dock_widget("napari-selfsup-recon", "Reconstruct images")
    main.physics.kind.setCurrentIndex(list(PsfKind).index(PsfKind.LAYER))
    main.refresh()
    qtbot.mouseClick(main.physics.make, Qt.MouseButton.LeftButton)
    docks = viewer.window.dock_widgets
    (name,) = [name for name in docks if name.startswith("PSF: from theory")]
    dock = getattr(docks[name], "__wrapped__", docks[name])
    assert isinstance(dock, PsfWidget)
    for index in range(3):
        dock.tabs.setCurrentIndex(index)
        qtbot.wait(20)
        assert dock.minimumSizeHint().width() <= 300
        content = dock.findChildren(QWidget, "content")[0]
        assert content.minimumSizeHint().width() <= 285, index
    dock.tabs.setCurrentIndex(1)
    press(qtbot, dock, dock.beads.average)
    assert "slide bead PSF" in viewer.layers
    assert main.physics.layer.layer.name == "slide bead PSF"


def test_the_background_is_never_the_window(viewer, beads, open_dock, qtbot, monkeypatch):
    threads = set()
    find = beads_page.psf.find_beads

    def spy(*args, **more):
        threads.add(threading.current_thread())
        return find(*args, **more)

    monkeypatch.setattr(beads_page.psf, "find_beads", spy)
    dock = open_dock()
    dock.tabs.setCurrentIndex(1)
    press(qtbot, dock, dock.beads.search)
    assert threads
    assert threading.main_thread() not in threads
