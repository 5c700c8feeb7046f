"""What the package promises before a single image is opened."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module, metadata, resources
from pathlib import Path

import pytest

import napari_selfsup_recon

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "napari", "qtpy", "PyQt6", "scipy", "skimage", "numpy", "zarr", "dask")


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, *options, "-c", code], check=True, capture_output=True, text=True
    )


def loaded_by(statement: str, names: tuple[str, ...]) -> set[str]:
    code = f"import sys\n{statement}\nprint(*(n for n in {names!r} if n in sys.modules))"
    return set(run(code).stdout.split())


def import_seconds() -> float:
    """Time that importing the package takes, as the interpreter itself counts it."""
    line = run("import napari_selfsup_recon", "-X", "importtime").stderr.splitlines()[-1]
    _, cumulative, module = line.removeprefix("import time:").split("|")
    assert module.strip() == "napari_selfsup_recon"
    return int(cumulative) * 1e-6


def test_import_loads_nothing_heavy():
    assert loaded_by("import napari_selfsup_recon", HEAVY) == set()


def test_import_is_quick():
    # The best of a few: another process may have the machine at any one moment.
    assert min(import_seconds() for _ in range(5)) < 0.05


def test_listing_names_loads_nothing_heavy():
    statement = "import napari_selfsup_recon as n; dir(n); n.__all__; n.__version__"
    assert loaded_by(statement, HEAVY) == set()


@pytest.mark.parametrize("module", ["core", "core.options", "methods.registry", "cli", "cli._main"])
def test_the_light_floors_load_no_torch(module: str):
    statement = f"import napari_selfsup_recon.{module}"
    assert loaded_by(statement, ("torch", "napari", "qtpy")) == set()


@pytest.mark.parametrize("name", sorted(set(napari_selfsup_recon.__all__)))
def test_every_public_name_is_there(name: str):
    assert getattr(napari_selfsup_recon, name) is not None
    assert name in (*dir(napari_selfsup_recon), "__version__")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Deconvolve'"):
        napari_selfsup_recon.Deconvolve  # noqa: B018


def test_no_public_name_needs_qt():
    names = ", ".join(napari_selfsup_recon.__all__)
    assert loaded_by(f"from napari_selfsup_recon import {names}", ("napari", "qtpy")) == set()


def test_version_is_the_same_everywhere():
    version = napari_selfsup_recon.__version__
    assert metadata.version("napari-selfsup-recon") == version
    if (ROOT / "CHANGELOG.md").exists():
        assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_entry_points_lead_somewhere():
    points = metadata.distribution("napari-selfsup-recon").entry_points
    assert {(p.group, p.value) for p in points} == {
        ("console_scripts", "napari_selfsup_recon.cli:main"),
        ("napari.manifest", "napari_selfsup_recon:napari.yaml"),
    }
    for point in points:
        if point.group == "console_scripts":
            assert callable(point.load())


def test_package_carries_manifest_and_types():
    files = resources.files("napari_selfsup_recon")
    assert (files / "napari.yaml").is_file()
    assert (files / "py.typed").is_file()


def test_manifest_is_valid_and_every_command_exists():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-selfsup-recon")
    assert manifest.name == "napari-selfsup-recon"
    commands = manifest.contributions.commands or []
    assert commands
    for command in commands:
        assert command.id.startswith("napari-selfsup-recon.")
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_dependencies_are_lower_bounds_without_a_qt_binding():
    names = set()
    for requirement in metadata.requires("napari-selfsup-recon") or []:
        if "extra ==" in requirement:
            continue
        name, bounds = re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?(.*)", requirement).groups()
        assert "<" not in bounds, requirement
        assert "==" not in bounds, requirement
        names.add(name.lower())
    assert not names & {"pyqt5", "pyqt6", "pyside2", "pyside6"}
    assert "napari[" not in " ".join(metadata.requires("napari-selfsup-recon") or [])
    assert {"napari", "qtpy", "torch"} <= names


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="only in a checkout")
def test_wheel_carries_manifest_types_and_no_tests(tmp_path: Path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {"napari.yaml", "py.typed", "_docs/quickstart.md", "_docs/images/runs_dock.png"}
    assert {f"napari_selfsup_recon/{name}" for name in wanted} <= names
    assert all(name.startswith("napari_selfsup_recon") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
