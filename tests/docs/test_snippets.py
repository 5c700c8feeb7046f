"""What the readme and the documentation show can be typed in and works."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon import simulate
from napari_selfsup_recon.simulate import Sample, sample

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="only in a checkout")


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


def quick(text: str) -> str:
    """Return `text` with so few training steps that it ends at once."""
    return re.sub(r"(steps[\"']?\s*[=: ]\s*)\d+", r"\g<1>2", text)


def with_blocks(language: str, *, viewer: bool = False) -> list[Path]:
    return [
        page
        for page in PAGES
        if any(("napari.Viewer" in code) == viewer for code in blocks(page, language))
    ]


@pytest.fixture(autouse=True)
def small_samples(monkeypatch: pytest.MonkeyPatch):
    """Cut the generated samples, so that the examples end soon."""

    def small(name: str, *, seed: int = 0) -> Sample:
        whole = sample(name, seed=seed)
        corner = (..., slice(96), slice(96))
        return replace(whole, truth=whole.truth[corner], measured=whole.measured[corner])

    monkeypatch.setattr(simulate, "sample", small)


@pytest.mark.parametrize("page", with_blocks("python"), ids=lambda page: page.name)
def test_scripts_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks(page, "python"):
        if "napari.Viewer" not in code:
            exec(compile(quick(code), str(page), "exec"), names)
    assert "physics" in names
    assert np.isfinite(names["sharp"]).all()


@pytest.mark.gui
@pytest.mark.parametrize("page", with_blocks("python", viewer=True), ids=lambda page: page.name)
def test_viewer_scripts_run(page: Path, make_napari_viewer, monkeypatch: pytest.MonkeyPatch):
    import napari

    viewers: list[napari.Viewer] = []

    def viewer() -> napari.Viewer:
        viewers.append(make_napari_viewer())
        return viewers[-1]

    monkeypatch.setattr(napari, "Viewer", viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    for code in blocks(page, "python"):
        if "napari.Viewer" in code:
            exec(compile(quick(code), str(page), "exec"), {})
    assert len(viewers[-1].layers) == 3
    assert viewers[-1].canvas.grid.enabled


def command_lines(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("napari-selfsup-recon ")]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if command_lines(page)], ids=lambda page: page.name
)
def test_command_lines_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from napari_selfsup_recon.cli import main
    from napari_selfsup_recon.core.measurement import Measurement
    from napari_selfsup_recon.io import write

    monkeypatch.chdir(tmp_path)
    cells = simulate.sample("cells_2d")
    assert cells.psf is not None
    write("cells.tif", Measurement(cells.measured, axes=("y", "x")))
    write("psf.tif", Measurement(cells.psf, axes=("y", "x")))
    write_scan()
    for block in blocks(page, "toml"):
        Path("run.toml").write_text(quick(block))
    for words in command_lines(page):
        classical = {"richardson-lucy", "filtered-back-projection"} & set(words)
        trains = words[0] in ("deconvolve", "denoise", "reconstruct") and not classical
        given = shlex.split(quick(shlex.join(words)))
        if trains and "--steps" not in given:
            given += ["--steps", "2"]
        assert main(given) == 0, shlex.join(words)
        if "-o" in words:
            assert Path(words[words.index("-o") + 1]).exists()


def write_scan() -> None:
    """Write the files that the page about CT speaks of."""
    from napari_selfsup_recon.core.measurement import Measurement
    from napari_selfsup_recon.io import write
    from napari_selfsup_recon.simulate.phantoms import ellipsoid_scan

    scan = ellipsoid_scan(16, size=32, slices=2)
    counts = 1e4 * np.exp(-np.swapaxes(scan.sinograms, 0, 1)) + 100
    write("scan.tif", Measurement(counts.astype(np.uint16), axes=("z", "y", "x")))
    write("flat.tif", Measurement(np.full((2, 32), 10100, np.uint16), axes=("y", "x")))
    write("dark.tif", Measurement(np.full((2, 32), 100, np.uint16), axes=("y", "x")))
    np.savetxt("angles.txt", scan.degrees)


def test_links_between_pages_lead_somewhere():
    missing = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert missing == []
