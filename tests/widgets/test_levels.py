"""Multiscale layers: one of their levels is worked on, and all that follows says which."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers._source import layer_source

from gui_helpers import denoising_dock, settle
from napari_selfsup_recon import viewer as api
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.widgets.bridge import add_layer, set_voxel_size, source_of
from napari_selfsup_recon.widgets.choices import Part
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.levels import factors
from napari_selfsup_recon.widgets.request import make_request, slice_shown
from napari_selfsup_recon.widgets.script import script_of

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]
PLACE = {
    "scale": (2.0, 0.5, 0.5),
    "translate": (1.0, 2.0, 3.0),
    "units": ("um", "um", "um"),
    "axis_labels": ("z", "y", "x"),
}


def pyramid():
    """A volume of 6 x 40 x 32 voxels, and twice half as large in y and x, once in z."""
    finest = np.random.default_rng(0).random((6, 40, 32), dtype=np.float32)
    half = finest.reshape(6, 20, 2, 16, 2).mean(axis=(2, 4))
    quarter = half.reshape(3, 2, 10, 2, 8, 2).mean(axis=(1, 3, 5))
    return [finest, half, quarter]


@pytest.fixture
def layer(viewer):
    viewer.add_image(pyramid(), multiscale=True, name="stack", contrast_limits=(0, 1), **PLACE)
    return viewer.layers[-1]


@pytest.fixture
def dock(viewer, layer, qtbot):
    return denoising_dock(viewer, qtbot)


def choose(dock, level):
    dock.data.level.setCurrentIndex(level)
    dock.data.level.activated.emit(level)
    dock.refresh()


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_covers_what_the_finest_covers(level):
    turned = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    layer = Image(pyramid(), multiscale=True, contrast_limits=(0, 1), rotate=turned, **PLACE)
    source = source_of(layer, level=level)
    made = add_layer(ViewerModel(), source, np.asarray(source.measurement.data), "coarse")
    for share in np.ndindex(2, 2, 2):  # the corners of the outermost voxels
        own, finest = (np.array(share) * x.data.shape - 0.5 for x in (made, layer))
        np.testing.assert_allclose(made.data_to_world(own), layer.data_to_world(finest))
    # A crop lies where it was cut, and says so to files, too.
    crop = add_layer(ViewerModel(), source, made.data[1:, 2:, 3:], "crop", offset=(1, 2, 3))
    np.testing.assert_allclose(crop.data_to_world((0, 0, 0)), made.data_to_world((1, 2, 3)))
    np.testing.assert_allclose(source.measurement.translate, made.translate)
    np.testing.assert_allclose(source.measurement.scale, made.scale)


def test_lengths_that_are_no_multiple():
    sizes = [(33, 47), (17, 23), (13, 9)]  # filled up, cut off, and neither
    layer = Image([np.zeros(n) for n in sizes], multiscale=True, contrast_limits=(0, 1))
    assert factors(layer, 1) == (2.0, 2.0)
    assert factors(layer, 2) == (33 / 13, 5.0)


def test_what_is_no_level_is_refused(layer):
    with pytest.raises(InputError, match="3 levels; there is no level 3"):
        source_of(layer, level=3)
    with pytest.raises(InputError, match="one resolution"):
        source_of(Image(np.zeros((8, 8)), contrast_limits=(0, 1)), level=1)


def test_the_card_offers_levels_of_multiscale_layers_alone(dock, viewer, layer):
    box, form = dock.data.level, dock.data._form
    assert form.isRowVisible(box)
    names = [box.itemText(i) for i in range(box.count())]
    assert names == ["6 × 40 × 32 (30.7 kB)", "6 × 20 × 16 (7.7 kB)", "3 × 10 × 8 (960 B)"]
    assert dock.data.value().level == 0
    assert "y 40" in dock.data._facts.text()
    choose(dock, 2)
    assert dock.data.value().level == 2
    assert "z 3 × y 10 × x 8" in dock.data._facts.text()
    assert dock.data.voxel._text.text() == "4 × 2 × 2 µm"
    dock.data.reconstruct.setChecked(True)  # a scan is taken as it was measured
    assert not form.isRowVisible(box)
    assert dock.data.value().level == 0
    dock.data.denoise.setChecked(True)
    assert dock.value().data.level == 2
    dock.setValue(dock.value())
    assert dock.value().data.level == 2
    viewer.add_image(np.random.default_rng(0).random((9, 9)), name="plain")
    dock.data.image.choose(viewer.layers["plain"])
    dock.data.image.chosen.emit()
    assert not form.isRowVisible(box)
    assert dock.data.value().level == 0


def test_a_run_on_a_level_says_so_everywhere(dock, viewer, layer, qtbot):
    choose(dock, 1)
    dock.start()
    job = dock.session.job
    qtbot.waitUntil(lambda: job.done, timeout=20000)
    assert job.error is None
    (result,) = job.layers
    assert result.data.shape == (6, 20, 16)
    np.testing.assert_allclose(result.scale, (2, 1, 1))
    np.testing.assert_allclose(result.translate, (1, 2.25, 3.25))
    assert result.metadata["selfsup_recon"]["source"]["level"] == 1
    assert job.again.source().measurement.shape == (6, 20, 16)
    request = make_request(dock.value(), viewer)
    assert request.config.level == 1
    assert "level = 1" in request.config.to_toml()
    assert request.resolve().summary().splitlines()[0].endswith("level 1")
    script = exhaust(script_of(request))
    assert "'level': 1" in script.text()
    assert script.arrays["image"].shape == (6, 20, 16)
    settle(qtbot)


def test_what_is_in_view_is_found_on_a_level(dock, viewer, layer):
    viewer.dims.set_point(0, 1 + 2 * 5)  # the last of six slices
    choose(dock, 2)
    dock.data._choose_part(Part.SLICE)
    assert slice_shown(layer, viewer, "zyx", 0) == 5
    assert make_request(dock.value(), viewer).source.fixed == (2, None, None)
    choose(dock, 0)
    assert make_request(dock.value(), viewer).source.fixed == (5, None, None)


def test_the_voxel_size_of_a_level_is_written_for_the_finest(dock, layer):
    choose(dock, 1)
    dock.data.voxel.committed.emit((3.0, 0.4, 0.4), "micrometer")
    np.testing.assert_allclose(layer.scale, (3, 0.2, 0.2))
    set_voxel_size(layer, "zyx", (3.0, 0.4, 0.4), "micrometer")
    np.testing.assert_allclose(layer.scale, (3, 0.4, 0.4))


def test_a_script_reads_the_level_from_the_file(viewer, tmp_path, qtbot):
    rng = np.random.default_rng(0)
    plain = source_of(viewer.add_image(rng.random((300, 280), dtype=np.float32))).measurement
    path = volumes.write(tmp_path / "large.zarr", plain)
    levels = [np.asarray(volumes.read(path, level=n).data) for n in (0, 1)]
    with layer_source(path=str(path)):
        layer = Image(levels, multiscale=True, name="large", contrast_limits=(0, 1))
    viewer.layers.append(layer)
    dock = ReconWidget(viewer)
    qtbot.addWidget(dock)
    dock.data.image.choose(layer)
    dock.data.image.chosen.emit()
    dock.data.denoise.setChecked(True)
    choose(dock, 1)
    script = exhaust(script_of(make_request(dock.value(), viewer)))
    assert script.files == {"image": str(path)}
    assert f"read({str(path)!r}, level=1).data" in script.text()
    # The place that the window and the file give it is the same.
    read, shown = volumes.read(path, level=1), script.arrays["image"]
    np.testing.assert_allclose(read.translate, shown.translate)
    np.testing.assert_allclose(read.scale, shown.scale)


def test_scripts_that_have_a_viewer(viewer, layer):
    (made,) = api.denoise(viewer, layer, method="fake", level=2)
    assert made.data.shape == (3, 10, 8)
    np.testing.assert_allclose(made.scale, (4, 2, 2))
    with pytest.raises(InputError, match="no level 5"):
        api.denoise(viewer, layer, method="fake", level=5)


def test_the_level_comes_back_from_toml(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RunConfig(level=3).to_toml(), encoding="utf-8")
    assert RunConfig.load_toml(path).level == 3
