"""The configuration of a run, and its TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.runs import RunConfig
from napari_selfsup_recon.runs._toml import dump_toml


def full() -> RunConfig:
    return RunConfig.model_validate(
        {
            "task": "deconvolve",
            "method": "ssi",
            "options": {"steps": 12, "learning_rate": 1e-5, "positive": False, "loss": "huber"},
            "baseline": None,
            "physics": {"psf": "file", "path": 'C:\\data\\"psf" µ.tif', "boundary": "reflect"},
            "region": ((0, 3), (4, 9), (2, 7)),
            "frames": ((0, 1), (1, 1)),
            "preview_every": 0.0,
        }
    )


@pytest.mark.parametrize("config", [RunConfig(), RunConfig(task="denoise"), full()])
def test_toml_gives_the_same_run_back(config: RunConfig, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert RunConfig.load_toml(path) == config


def test_denoising_has_no_baseline_unless_asked_for() -> None:
    assert RunConfig(task="denoise").baseline is None
    assert RunConfig().baseline == "richardson-lucy"
    assert RunConfig(task="denoise", baseline="other").baseline == "other"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("task = 'sharpen'", InputError, "Task .task. is 'sharpen'"),
        ("tusk = 'denoise'", InputError, "no option 'tusk'"),
        ("[physics]\npsf = 'bead'", InputError, "physics.psf"),
        ("preview_every = -1", InputError, "Preview every"),
        ("task = ", FileError, "no valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, error: Any, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message) as caught:
        RunConfig.load_toml(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        RunConfig.load_toml(tmp_path / "none.toml")


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _TEXT
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3)
)


@given(st.dictionaries(_TEXT, _VALUES, max_size=4))
def test_any_plain_values_survive_toml(values: dict[str, Any]) -> None:
    assert tomllib.loads(dump_toml(values)) == values


def test_toml_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(TypeError):
        dump_toml({"a": object()})
