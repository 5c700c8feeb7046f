"""The scripts of docs/examples do what they say, with few steps on small images."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_selfsup_recon import simulate
from napari_selfsup_recon.simulate import Sample, sample
from napari_selfsup_recon.widgets.comparison import current_comparison

HERE = Path(__file__).parent.parent.parent / "docs" / "examples"
SCRIPTS = sorted(HERE.glob("*.py"))
QUICK = {"width": 4, "crop": 32, "ensemble": False}
SIDE = 64
pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(not HERE.exists(), reason="only in a checkout"),
]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, make_napari_viewer: Any) -> None:
    """Cut the generated samples, and let scripts make viewers that are closed after the test."""

    def small(name: str, *, seed: int = 0) -> Sample:
        whole = sample(name, seed=seed)
        corner = (slice(8),) * (whole.truth.ndim - 2) + (slice(SIDE), slice(SIDE))
        return replace(whole, truth=whole.truth[corner], measured=whole.measured[corner])

    monkeypatch.setattr(simulate, "sample", small)
    monkeypatch.setattr(
        "napari.Viewer", lambda title="", ndisplay=2: make_napari_viewer(ndisplay=ndisplay)
    )


def example(name: str) -> SimpleNamespace:
    """Return what a script defines, without running it."""
    return SimpleNamespace(**runpy.run_path(str(HERE / f"{name}.py")))


def test_all_are_here() -> None:
    names = [script.stem for script in SCRIPTS]
    assert names == ["beads_3d", "cells_2d", "drag_a_box", "few_view_ct", "unpaired_denoising"]
    listed = (HERE.parent / "demos.md").read_text("utf-8")
    for script in SCRIPTS:
        assert f"(examples/{script.name})" in listed
        assert len(script.read_text("utf-8").splitlines()) < 80


def test_cells_in_2d() -> None:
    viewer = example("cells_2d").main(steps=2, **QUICK)
    names = [layer.name for layer in viewer.layers]
    assert len(names) == 3
    assert "SSI" in names[2]
    assert current_comparison(viewer) is not None


def test_beads_in_3d(capsys: pytest.CaptureFixture[str]) -> None:
    script = example("beads_3d")
    images = script.main(steps=1, start="none", width=4, ensemble=False)
    assert all(np.isfinite(volume).all() for volume in images.values())
    assert "PSNR" in capsys.readouterr().out
    viewer = script.show(images)
    assert viewer.dims.ndisplay == 3
    assert [layer.name for layer in viewer.layers] == ["measured", "Lucy-Richardson", "SSI"]


def test_ct_with_few_views(capsys: pytest.CaptureFixture[str]) -> None:
    script = example("few_view_ct")
    images = script.main(steps=1, size=24, start="inverse", width=2, iterations=1)
    told = capsys.readouterr().out.splitlines()
    assert told[0].split()[1] == "0.000"
    assert 0.05 < float(told[1].split()[2]) < 0.8
    assert current_comparison(script.show(images)) is not None


def test_clean_examples_of_other_places(capsys: pytest.CaptureFixture[str]) -> None:
    script = example("unpaired_denoising")
    images = script.main(steps=1, side=64, places=4, crop=32, batch=2)
    np.testing.assert_allclose(images["ISCL"] + images["noise taken out"], images["noisy"], rtol=1)
    assert "ISCL" in capsys.readouterr().out
    assert len(script.show(images).layers) == 5


def test_a_box_to_drag() -> None:
    viewer = example("drag_a_box").main()
    box, sharp = viewer.layers["box"], viewer.layers["inside the box"]
    assert sharp.data.shape == (34, 34)  # as far as the image goes
    before = sharp.data.copy()
    box.data = [box.data[0] - 20]
    np.testing.assert_allclose(sharp.translate, (10, 10))
    assert sharp.data.shape == (54, 54)
    assert np.abs(sharp.data[:34, :34] - before).max() > 1
