"""The demos without a window, and the generated layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.demos import demo2d, demo3d, samples
from napari_selfsup_recon.demos.__main__ import main
from napari_selfsup_recon.demos._micrograph import degraded_micrograph, micrograph
from napari_selfsup_recon.demos._restore import plan_steps
from napari_selfsup_recon.demos._window import has_display
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.simulate import SAMPLE_NAMES


def test_the_micrograph_is_real_and_comes_with_scikit_image() -> None:
    image = micrograph()
    assert image.shape == (512, 512)
    assert image.dtype == np.uint8
    assert (image.min(), image.max()) == (0, 198)
    assert len(np.unique(image)) > 150


def test_it_is_degraded_as_published() -> None:
    degraded, psf = degraded_micrograph(96)
    assert psf.shape == (17, 17)
    assert (degraded.truth.min(), degraded.truth.max()) == (0, 1)
    noise = degraded.noisy - degraded.blurred
    inner = (degraded.blurred > 0.3) & (degraded.blurred < 0.7)
    assert np.median(np.abs(noise[inner])) / 0.6745 == pytest.approx(0.1, rel=0.1)
    levels = degraded.noisy * 1024
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)


def test_the_demo_writes_scores_and_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--headless", "--side", "64", "--steps", "1", "--output", str(tmp_path / "out")])
    assert code == 0
    printed = capsys.readouterr().out
    for name in ("blurred", "noisy", "LR 2", "LR 5", "LR 10", "LR 20", "SSI", "SMI"):
        assert name in printed
    assert (tmp_path / "out" / "micrograph.png").stat().st_size > 10_000
    assert "| SSI |" in (tmp_path / "out" / "scores.md").read_text(encoding="utf-8")


def test_training_fits_the_budget() -> None:
    degraded, psf = degraded_micrograph(64)
    physics = Blur(psf, degraded.noisy.shape)
    assert plan_steps(physics, degraded.noisy, 1e-6) == 60
    assert plan_steps(physics, degraded.noisy, 1e6) == 600


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_samples_know_where_they_are(name: str) -> None:
    layers = getattr(samples, name)()
    data, facts, kind = layers[-1]
    assert (facts["name"], kind) == (name, "image")
    assert data.dtype == np.uint16
    assert facts["units"] == ("micrometer",) * data.ndim
    assert facts["axis_labels"] == ("z", "y", "x")[-data.ndim :]
    assert len(facts["scale"]) == data.ndim
    assert facts.get("visible", True)
    names = [facts["name"] for _, facts, _ in layers]
    assert names[0] == f"{name} truth"
    assert (f"{name} PSF" in names) is (name != "noisy_2d")
    assert all(not facts["visible"] for _, facts, _ in layers[:-1])


@pytest.mark.parametrize("demo", [demo2d, demo3d])
def test_without_a_display_the_demos_say_so(
    demo: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_selfsup_recon.demos._interactive.has_display", lambda: False)
    assert demo.main([]) == 2  # type: ignore[attr-defined]
    assert "--headless" in capsys.readouterr().err


def test_a_display_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":1")
    assert has_display()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY")
    assert has_display()


def test_samples_load_neither_torch_nor_qt() -> None:
    code = (
        "import sys\n"
        "from napari_selfsup_recon.demos.samples import cells_2d\n"
        "cells_2d()\n"
        "assert not {'torch', 'qtpy', 'napari'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
