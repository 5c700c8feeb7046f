"""A PSF for each channel in the window, from the card to the copied script."""

from __future__ import annotations

import subprocess
import sys
import weakref

import numpy as np
import pytest

from gui_helpers import settle
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.physics.psf import gaussian
from napari_selfsup_recon.viewer import deconvolve
from napari_selfsup_recon.widgets.choices import DataChoice, Intent, Part, PsfChoice, PsfKind
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.reblur import residual_of
from napari_selfsup_recon.widgets.request import make_request, psf_of

pytestmark = pytest.mark.gui
PLACE = {"scale": (1, 0.1, 0.1), "axis_labels": ("c", "y", "x"), "units": ("pixel", "um", "um")}
WIDE = np.asarray(gaussian(4.0), dtype=np.float32)
NARROW = np.asarray(gaussian(2.0), dtype=np.float32)
NARROW = np.pad(NARROW, (len(WIDE) - len(NARROW)) // 2)
BOTH = np.stack([NARROW, WIDE])
PLAIN = {"method": None, "baseline": "richardson-lucy", "baseline_options": {"iterations": 4}}


@pytest.fixture
def two(viewer):
    """Two channels; and the PSFs of both in a hidden layer."""
    viewer.add_image(BOTH, name="PSF", visible=False, **PLACE)
    data = np.random.default_rng(0).poisson(50, (2, 32, 36)).astype(np.float32)
    return viewer.add_image(data, name="two", **PLACE)


@pytest.fixture
def dock(viewer, two, qtbot):
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    made.show()
    method = made.method.method
    method.setCurrentIndex(method.findData("richardson-lucy"))
    made.method.form.setValue(made.method.form.value().model_copy(update={"iterations": 4}))
    made.refresh()
    return made


def alone(viewer, two, channel, psf):
    """Return what a run of one channel with its PSF gives."""
    own = {"scale": (0.1, 0.1), "units": ("um", "um"), "name": f"channel {channel}"}
    layer = viewer.add_image(two.data[channel], **own)
    (result,) = deconvolve(viewer, layer, psf, **PLAIN)
    return result.data


def test_the_window_and_its_script_take_the_psf_of_each_channel(dock, viewer, two, qtbot, tmp_path):
    card = dock.physics
    assert card.problem == ""
    text = card.view.text
    assert "Each of the 2 channels has a PSF of its own." in text
    assert "Channel 0: Full width at half maximum: 0.2" in text
    assert "Channel 1: Full width at half maximum: 0.4" in text
    pictures = [picture for picture in card.view._pictures if picture.isVisible()]
    assert ["Channel 0" in p.toolTip() for p in pictures] == [True, False]
    dock.script.save(tmp_path / "again.py")
    said = []
    dock.script.told.connect(said.append)
    qtbot.waitUntil(lambda: bool(said), timeout=20000)
    dock.start()
    job = dock.session.job
    qtbot.waitUntil(lambda: job.done, timeout=60_000)
    assert job.error is None
    (result,) = job.layers
    settle(qtbot)
    for channel, psf in enumerate(BOTH):
        np.testing.assert_array_equal(result.data[channel], alone(viewer, two, channel, psf))
    done = subprocess.run(
        [sys.executable, "again.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = volumes.read(tmp_path / "result_richardson-lucy.ome.tif")
    np.testing.assert_array_equal(again.data, result.data)
    # The residual blurs each channel with its own PSF again.
    left, _ = exhaust(residual_of(result))
    for channel in (0, 1):
        single = viewer.layers[f"channel {channel} LR 4"]
        np.testing.assert_allclose(left[channel], exhaust(residual_of(single))[0], atol=1e-4)


def test_the_channel_in_view_takes_its_own(viewer, two):
    psf = viewer.layers["PSF"]
    choice = PsfChoice(PsfKind.LAYER, weakref.ref(psf))
    data = DataChoice(weakref.ref(two), part=Part.FRAME)
    for channel in (0, 1):
        viewer.dims.set_point(0, channel)
        request = make_request(Intent(data, choice), viewer)
        assert request.config.physics.channel == (channel, 2)
        own = request.resolve()
        whole = make_request(Intent(DataChoice(weakref.ref(two)), choice), viewer).resolve()
        (kernel,) = own.psfs
        np.testing.assert_array_equal(kernel, whole.psfs[channel])


def test_scripts_give_them_as_a_list_or_with_an_axis(viewer, two, tmp_path):
    expected = deconvolve(viewer, two, viewer.layers["PSF"], **PLAIN)[0].data
    np.save(tmp_path / "wide.npy", WIDE)
    np.save(tmp_path / "narrow.npy", NARROW)
    layer = viewer.add_image(NARROW, name="narrow PSF")
    files = [tmp_path / "narrow.npy", str(tmp_path / "wide.npy")]
    for given in ([NARROW, WIDE], BOTH, [layer, WIDE], files):
        (result,) = deconvolve(viewer, two, given, **PLAIN)
        np.testing.assert_allclose(result.data, expected, rtol=1e-4)
    for given in ([NARROW] * 3, np.stack([NARROW] * 3)):
        with pytest.raises(InputError, match="'two' has 2 channels"):
            deconvolve(viewer, two, given, **PLAIN)


def test_numbers_that_do_not_fit_are_told_in_the_card(dock, viewer, two):
    viewer.layers["PSF"].data = np.concatenate([BOTH, BOTH[:1]])
    dock.refresh()
    assert "There are 3 PSFs, but 'two' has 2 channels" in dock.physics.problem
    assert not dock.run_card.run.isEnabled()


def test_what_labels_say_counts_first(viewer):
    stack = np.repeat(BOTH[:1], 3, axis=0)
    stack[1] *= 2
    layer = viewer.add_image(stack, name="PSF")
    choice = PsfChoice(PsfKind.LAYER, weakref.ref(layer))
    assert psf_of(choice, 2, channels=3).axes == ("c", "y", "x")
    assert psf_of(choice, 2, channels=2).shape == WIDE.shape  # the brightest plane
    assert psf_of(choice, 3, channels=3).axes == ("z", "y", "x")
    layer.axis_labels = ("z", "y", "x")
    np.testing.assert_array_equal(psf_of(choice, 2, channels=3).data, stack[1])
    layer.axis_labels = ("channel", "y", "x")
    assert psf_of(choice, 2).axes == ("c", "y", "x")


def test_several_files_and_wavelengths_in_the_card(dock, viewer, tmp_path):
    for name, psf in (("a.npy", NARROW), ("b.npy", WIDE)):
        np.save(tmp_path / name, psf)
    card = dock.physics
    card.setValue(PsfChoice(PsfKind.FILE, path=f"{tmp_path / 'a.npy'}; {tmp_path / 'b.npy'}"))
    physics = make_request(dock.value(), viewer).config.physics
    assert physics.path == (str(tmp_path / "a.npy"), str(tmp_path / "b.npy"))
    assert len(make_request(dock.value(), viewer).resolve().psfs) == 2
    editor = card.more.editors["wavelengths"]
    editor.setText("500, 600")
    assert make_request(dock.value(), viewer).config.physics.wavelengths is None
    card.kind.setCurrentIndex(list(PsfKind).index(PsfKind.THEORY))
    assert make_request(dock.value(), viewer).config.physics.wavelengths == (500.0, 600.0)
