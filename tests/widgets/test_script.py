"""What is chosen as Python: the script, run without a window, gives the identical array."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

import recon_fakes
from gui_helpers import settle
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.request import make_request
from napari_selfsup_recon.widgets.script import holds, save, script_of

pytestmark = pytest.mark.gui
OPTIONS = {"steps": 6, "width": 4, "depth": 2, "seed": 3}


@pytest.fixture
def dock(viewer, qtbot):
    """A dock on a small blurred image and its PSF; learned in a few steps after a baseline."""
    rng = np.random.default_rng(0)
    x = np.exp(-((np.arange(9) - 4) ** 2) / 4)
    viewer.add_image(np.outer(x, x), name="a PSF", visible=False)
    image = rng.poisson(20 + 100 * rng.random((64, 64))).astype(np.uint16)
    viewer.add_image(image, name="it's noisy", scale=(0.2, 0.2), units=("um", "um"))
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    made.refresh()
    form = made.method.form
    known = {k: v for k, v in OPTIONS.items() if k in type(form.value()).model_fields}
    form.setValue(form.value().model_copy(update=known))
    return made


def run(path):
    """Run a script as a person would, in a process of its own."""
    done = subprocess.run(
        [sys.executable, path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_script_gives_the_identical_array(dock, viewer, qtbot, tmp_path):
    dock.script.save(tmp_path / "again.py")
    said = []
    dock.script.told.connect(said.append)
    qtbot.waitUntil(lambda: bool(said), timeout=20000)
    assert said == ["Saved again.py."]
    dock.start()
    job = dock.session.job
    qtbot.waitUntil(lambda: job.done, timeout=120_000)
    assert job.error is None
    assert [layer.metadata["selfsup_recon"]["method"] for layer in job.layers] == [
        "richardson-lucy",
        "ssi",
    ]
    told = run(tmp_path / "again.py")
    for layer in job.layers:
        key = layer.metadata["selfsup_recon"]["method"]
        again = volumes.read(tmp_path / f"result_{key}.ome.tif")
        np.testing.assert_array_equal(again.data, layer.data)
        np.testing.assert_allclose(again.scale, layer.scale)
        assert f"result_{key}.ome.tif" in told
    settle(qtbot)


def test_a_notebook_has_the_same_code(dock, viewer, tmp_path):
    request = make_request(dock.value(), viewer)
    script = exhaust(script_of(request))
    path = exhaust(save(script, tmp_path / "book.ipynb"))
    book = json.loads(path.read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    code = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    assert code == script.cells("book_data")
    compile("\n\n".join(code), "book", "exec")
    assert {p.name for p in (tmp_path / "book_data").iterdir()} == {"image.npy", "psf.npy"}
    exhaust(save(script, tmp_path / "book.ipynb"))  # data that are there are not overwritten
    assert (tmp_path / "book_data_2").is_dir()


def test_the_clipboard_and_what_is_wrong(dock, viewer, qtbot):
    said = []
    dock.script.told.connect(said.append)
    dock.script.copy()
    qtbot.waitUntil(lambda: bool(said), timeout=20000)
    text = QApplication.clipboard().text()
    compile(text, "copied", "exec")
    assert "it's noisy" in text
    assert "save them as image.npy" in text
    assert "'steps': 6" in text
    viewer.layers.clear()
    dock.script.copy()
    assert "no image" in said[-1]


def test_a_file_that_holds_the_image_is_named(dock, viewer, tmp_path):
    request = make_request(dock.value(), viewer)
    path = volumes.write(tmp_path / "noisy.tif", request.source.measurement)
    assert holds(str(path), request.source.measurement)
    other = request.source.measurement.with_data(request.source.measurement.data + 1)
    assert not holds(str(path), other)
    assert not holds(str(tmp_path / "missing.tif"), other)


def test_a_scan_with_its_angles_and_fields(viewer, tmp_path, monkeypatch):
    recon_fakes.install(monkeypatch)
    stack, degrees = recon_fakes.sinogram(slices=2)
    from napari_selfsup_recon.methods.registry import METHODS
    from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
    from napari_selfsup_recon.runs.instruments import Tomograph
    from napari_selfsup_recon.widgets.recon_source import recon_source
    from napari_selfsup_recon.widgets.request import Request

    layer = viewer.add_image(stack, name="scan", metadata={"theta_deg": degrees.tolist()})
    config = RunConfig(
        task="reconstruct",
        method=None,
        baseline="filtered-back-projection",
        physics=PhysicsChoice(instrument="parallel-beam", scan=Tomograph(axis=22.5)),
    )
    assert METHODS.find("filtered-back-projection")
    flat = np.ones((2, stack.shape[-1]))
    request = Request(recon_source(layer, "parallel-beam"), config, given={"flat": flat})
    script = exhaust(script_of(request))
    text = script.text("d")
    compile(text, "scan", "exec")
    assert 'given={"flat": flat}' in text
    assert "theta_deg" in text
    assert "'axis': 22.5" in text
