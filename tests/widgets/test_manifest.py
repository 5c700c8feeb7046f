"""The manifest, and what opening the dock costs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from npe2 import PluginManifest

from napari_selfsup_recon.widgets import preferences
from napari_selfsup_recon.widgets.export import write_image

NAME = "napari-selfsup-recon"


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution(NAME)


def test_the_manifest_is_valid(manifest):
    manifest.validate_imports()
    assert manifest.name == NAME
    for command in manifest.contributions.commands:
        assert command.id.startswith(f"{NAME}.")
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name))


def test_it_claims_no_foreign_files(manifest):
    assert not manifest.contributions.readers
    (writer,) = manifest.contributions.writers
    assert writer.filename_extensions == [".ome.tif", ".ome.zarr"]


def test_samples_open(manifest):
    for sample in manifest.contributions.sample_data:
        command = next(c for c in manifest.contributions.commands if c.id == sample.command)
        module, _, name = command.python_name.partition(":")
        layers = getattr(import_module(module), name)()
        assert layers
        for data, facts, kind in layers:
            assert kind == "image"
            assert len(facts["scale"]) == len(facts["units"]) == data.ndim


@pytest.mark.gui
@pytest.mark.parametrize(
    "widget", ["dock:ReconWidget", "psf_dock:PsfWidget", "runs_dock:RunsWidget"]
)
def test_opening_a_dock_loads_nothing_heavy(qapp, widget):
    module, _, name = widget.partition(":")
    code = f"""
import json, os, sys
import napari
import numpy as np
viewer = napari.Viewer(show=False)
viewer.add_image(np.random.default_rng(0).random((8, 64, 64)))
from napari_selfsup_recon.widgets.{module} import {name}
viewer.window.add_dock_widget({name}(viewer))
print(json.dumps([n for n in ("torch", "pyqtgraph", "tifffile") if n in sys.modules]))
sys.stdout.flush()
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("ending", [".ome.tif", ".ome.zarr"])
def test_a_layer_is_written_with_its_place_and_provenance(tmp_path, ending):
    from napari_selfsup_recon.io import volumes

    data = np.random.default_rng(0).random((3, 8, 9)).astype(np.float32)
    attributes = {
        "name": "cells SSI 600",
        "scale": (0.3, 0.1, 0.1),
        "translate": (0.0, 0.0, 0.0),
        "units": ("micrometer",) * 3,
        "axis_labels": ("z", "y", "x"),
        "metadata": {"selfsup_recon": {"method": "ssi"}, "other": object()},
    }
    path = tmp_path / f"result{ending}"
    assert write_image(str(path), data, attributes) == [str(path)]
    back = volumes.read(path)
    np.testing.assert_array_equal(back.data, data)
    assert back.axes == ("z", "y", "x")
    np.testing.assert_allclose(back.scale, (0.3, 0.1, 0.1))
    assert volumes.read_provenance(path) == {"method": "ssi"}
    with pytest.raises(OSError, match="exists"):
        write_image(str(path), data, attributes)


def test_preferences_have_defaults():
    assert preferences.device() in ("auto", "cpu", "cuda", "mps")
    assert preferences.preview_interval() > 0
