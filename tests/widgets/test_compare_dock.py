"""The dock that compares any layers, in a real viewer; and what to trust."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QSlider, QWidget

import recon_fakes
from gui_helpers import add_cells, make_job, opener_of, settle
from napari_selfsup_recon.viewer import reconstruct
from napari_selfsup_recon.widgets import companions
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.compare_dock import CompareWidget
from napari_selfsup_recon.widgets.comparison import current_comparison
from napari_selfsup_recon.widgets.trust_bar import TrustBar

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


@pytest.fixture
def open_dock(viewer, qtbot):
    return opener_of(CompareWidget, viewer, qtbot)


@pytest.fixture
def family(viewer, cells):
    data = cells.data.astype(np.float32) * 0.5
    return cells, add_layer(viewer, source_of(cells), data, "half", provenance={"preview": False})


def test_what_is_compared(viewer, family, open_dock):
    dock = open_dock()
    other = add_cells(viewer, name="other")
    assert dock.layers() == [other]
    assert not dock.difference.isEnabled()
    viewer.layers.selection.active = family[1]
    assert dock.layers() == list(family)
    assert dock.difference.isEnabled()
    viewer.layers.selection = {other, family[0]}
    assert dock.layers() == [family[0], other]


def test_one_way_at_a_time_and_all_is_back(viewer, family, open_dock, qtbot):
    dock = open_dock()
    viewer.layers.selection.active = family[0]
    names = [layer.name for layer in viewer.layers]
    for mode in ("grid", "curtain", "blink"):
        qtbot.mouseClick(dock.bar.buttons[mode], Qt.MouseButton.LeftButton)
        assert current_comparison(viewer).mode == mode
        assert [m for m, b in dock.bar.buttons.items() if b.isChecked()] == [mode]
        assert dock.bar.slider.isHidden() == (mode != "curtain")
    dock.bar.begin("curtain")
    dock.bar.slider.setValue(250)
    assert dock.bar.comparison.position == 0.25
    dock.bar.shift(0.05)
    assert dock.bar.slider.value() == 300
    another = open_dock()
    another.bar.begin("grid")
    assert not dock.bar.buttons["curtain"].isChecked()
    viewer.layers.remove(family[1])
    assert current_comparison(viewer) is None
    assert not viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers] == names[:1]


def test_difference_is_a_layer_in_the_same_place(viewer, family, open_dock, qtbot):
    dock = open_dock()
    viewer.layers.selection.active = family[0]
    before = family[0].data.copy()
    dock.difference.click()
    qtbot.waitUntil(lambda: "half - cells" in viewer.layers, timeout=5000)
    layer = viewer.layers["half - cells"]
    np.testing.assert_allclose(layer.data, -0.5 * before)
    np.testing.assert_allclose(layer.scale, family[0].scale)
    np.testing.assert_allclose(layer.translate, family[0].translate)
    assert layer.units == family[0].units
    assert layer.contrast_limits[0] == -layer.contrast_limits[1]
    np.testing.assert_array_equal(family[0].data, before)
    family[1].scale = (1, 1, 1)
    viewer.layers.selection.active = family[0]
    dock.difference.click()
    assert "do not lie on" in dock._problem.text()


def test_a_line_over_all_layers(viewer, family, open_dock, qtbot):
    dock = open_dock()
    viewer.layers.selection.active = family[0]
    dock.draw.click()
    line = viewer.layers["line profile"]
    assert viewer.layers.selection.active is line
    ends = np.array([line.world_to_data(p) for p in ((3.0, 4, 4), (3.0, 4, 12))])
    line.add_lines(ends)
    qtbot.waitUntil(lambda: "FWHM" in dock.profile.words, timeout=5000)
    assert dock.profile.words.splitlines()[0].startswith("cells: FWHM")
    assert dock.profile.words.splitlines()[1].startswith("half: FWHM")
    viewer.layers.remove(line)
    dock.show_profile()  # nothing happens


def test_numbers(viewer, family, open_dock, qtbot):
    dock = open_dock()
    viewer.layers.selection.active = family[0]
    dock.measure.click()
    qtbot.waitUntil(dock.table.isVisible, timeout=10000)
    lines = dock.table.text().splitlines()
    assert lines[0].split("\t")[1:] == ["cells", "half"]
    assert lines[1] == "Sum\t1.00\t0.50"
    assert not any("PSNR" in line for line in lines)
    dock.reference.choose(family[0])
    dock.measure.click()
    qtbot.waitUntil(lambda: "PSNR" in dock.table.text(), timeout=10000)
    assert "SSIM\t1.000\t1.000" in dock.table.text()


def test_every_control_has_a_name_and_a_tooltip(viewer, family, open_dock):
    dock = open_dock()
    kinds = (QAbstractButton, QComboBox, QSlider)
    controls = [
        w
        for w in dock.findChildren(QWidget)
        if isinstance(w, kinds) and w.parent() is not dock.table
    ]
    assert len(controls) > 10
    for widget in controls:
        assert widget.accessibleName(), widget
        assert len(widget.toolTip()) > 10, widget.accessibleName()
    assert dock.minimumSizeHint().width() <= 300


def test_what_to_trust_of_a_reconstruction(viewer, qtbot, monkeypatch):
    recon_fakes.install(monkeypatch)
    stack, degrees = recon_fakes.sinogram()
    scan = viewer.add_image(stack, name="scan", metadata={"theta_deg": degrees.tolist()})
    *_, result = reconstruct(viewer, scan, method="fake-recon", baseline="fake-dagger", trust=True)
    settle(qtbot)
    bar = TrustBar(viewer, lambda: result)
    qtbot.addWidget(bar)
    bar.show()
    shown = [(layer, layer.visible) for layer in viewer.layers]
    assert [bar.buttons[name].isVisible() for name in companions.RARE] == [False, False]
    usual = {n: push for n, push in bar.buttons.items() if n not in companions.RARE}
    for name, push in usual.items():
        push.click()
        made = companions.companion(result, name)
        assert [layer for layer in viewer.layers if layer.visible] == [made]
        assert bar.words == companions.HOW_TO_READ[name]
    push.click()
    assert [(layer, layer.visible) for layer in viewer.layers] == shown
    assert bar.words == ""
    assert companions.result_of(made) is result


def test_what_only_some_results_have(viewer, qtbot, monkeypatch):
    recon_fakes.install(monkeypatch)

    def apart(self, y):
        return np.abs(self.reconstruct(y)) + 1

    monkeypatch.setattr(recon_fakes.FakeRecon, "disagreement", apart, raising=False)
    space = np.fft.fft2(np.random.default_rng(0).random((2, 24, 24)), norm="ortho")
    pair = np.stack([space.real, space.imag]) * (np.arange(24) % 3 > 0)
    layer = viewer.add_image(pair.astype(np.float32), name="k")
    (result,) = reconstruct(viewer, layer, "mri", method="fake-recon", baseline=None, trust=True)
    settle(qtbot)
    bar = TrustBar(viewer, lambda: result)
    qtbot.addWidget(bar)
    bar.show()
    for name, title in (("disagreement", "Disagreement"), ("phase", "Phase")):
        push = bar.buttons[name]
        assert push.isVisible()
        assert push.accessibleName() == push.text() == title
        push.click()
        made = companions.companion(result, name)
        assert [layer for layer in viewer.layers if layer.visible] == [made]
        assert made.name == f"{result.name} {name}"
        assert bar.words == companions.HOW_TO_READ[name] != ""
    first, second = (bar.layout().itemAt(n).minimumSize().width() for n in range(2))
    assert second <= first


def test_the_residual_of_a_denoised_image(viewer, cells, qtbot):
    (result,) = make_job(viewer, cells).start().wait(20)
    settle(qtbot)
    bar = TrustBar(viewer, lambda: result)
    qtbot.addWidget(bar)
    bar.show()
    assert [name for name, push in bar.buttons.items() if push.isVisible()] == ["residual"]
    bar.buttons["residual"].click()
    qtbot.waitUntil(lambda: bar.words == companions.HOW_TO_READ["residual"], timeout=5000)
    made = companions.companion(result, "residual")
    np.testing.assert_allclose(made.data, cells.data - result.data)
    assert made.visible
    assert not result.visible
    bar.buttons["residual"].click()
    assert result.visible
