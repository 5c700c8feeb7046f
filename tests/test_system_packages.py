"""The script that installs system packages, against stand-ins for Debian's commands."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "system_packages.py"
pytestmark = [
    pytest.mark.skipif(not SCRIPT.exists(), reason="only in a checkout: .ci is not packaged"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Debian's commands"),
]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("system_packages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def debian(tmp_path: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """Install stand-ins: dpkg-query lists `have`, apt-get notes its arguments and returns `rc`."""
    log = tmp_path / "apt.log"

    def set_up(have: list[str], *, rc: int = 0, root: bool = True) -> Path:
        listing = tmp_path / "listing"
        listing.write_text("".join(f"{line}\n" for line in have))
        for name, body in {
            "dpkg-query": f"cat {listing}",
            "apt-get": f'echo "$@" >> {log}; exit {rc}',
        }.items():
            command = tmp_path / name
            command.write_text(f"#!/bin/sh\n{body}\n")
            command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(script.os, "geteuid", lambda: 0 if root else 1000)
        return log

    return set_up


def everything(script: ModuleType) -> list[str]:
    return [f"installed|{name}|" for name in script.WINDOW + script.VIRTUAL_SCREEN]


def test_nothing_missing_calls_nothing(script, debian, capsys):
    log = debian(everything(script))
    assert script.main(["test"]) == 0
    assert not log.exists()
    assert capsys.readouterr().out == ""


def test_root_installs_just_what_is_missing(script, debian, capsys):
    have = [line for line in everything(script) if "|xvfb|" not in line and "|libgl1|" not in line]
    log = debian([*have, "config-files|xvfb|"])  # removed, settings kept: not installed
    assert script.main(["test"]) == 0
    update, install = log.read_text().splitlines()
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends libgl1 xvfb")
    assert "Installing system packages for the test run: libgl1 xvfb" in capsys.readouterr().out


def test_renamed_library_counts_by_what_it_provides(script, debian):
    have = [line for line in everything(script) if "|libglib2.0-0|" not in line]
    log = debian([*have, "installed|libglib2.0-0t64|libglib2.0-0 (= 2.84.4-3), other"])
    assert script.main(["test"]) == 0
    assert not log.exists()


def test_without_root_names_the_line_to_type(script, debian, capsys):
    have = [line for line in everything(script) if "|xvfb|" not in line]
    log = debian(have, root=False)
    assert script.main(["test"]) == 1
    assert not log.exists()
    error = capsys.readouterr().err
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends xvfb\n" in error


def test_failed_install_is_told(script, debian, capsys):
    debian([], rc=100)
    assert script.main(["test"]) == 1
    assert "apt-get ended with status 100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "count"), [({}, 0), ({"DISPLAY": ":0"}, 1), ({"WAYLAND_DISPLAY": "w"}, 1)]
)
def test_demo_needs_a_window_only_with_a_display(script, environ, count):
    assert bool(script.needed("demo", environ)) == bool(count)
    assert "xvfb" not in script.needed("demo", environ)


def test_other_systems_are_told_and_go_on(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.main(["test"]) == 0
    assert "Not a Debian system" in capsys.readouterr().out


def test_unknown_purpose_is_refused(script):
    with pytest.raises(SystemExit, match="unknown purpose 'party'"):
        script.needed("party", {})


def test_runs_on_the_standard_library_alone():
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='imported')"
    subprocess.run([sys.executable, "-I", "-S", "-c", code, str(SCRIPT)], check=True)
