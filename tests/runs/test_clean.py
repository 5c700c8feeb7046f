"""Clean examples on their way from what was chosen to the method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fakes
from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs import CleanChoice, Result, RunConfig, resolve
from napari_selfsup_recon.runs.execute import execute

RANDOM = np.random.default_rng(0)
STACK = RANDOM.integers(1, 200, (9, 24, 20)).astype(np.uint8)
OTHER = RANDOM.integers(1, 200, (4, 30, 26)).astype(np.uint8)


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Register a fake that takes clean examples; returns those that it was given."""
    fakes.install(monkeypatch)
    monkeypatch.setitem(METHODS._entries, "fake", replace(METHODS["fake"], clean=True))
    given: list[Any] = []
    train = fakes.FakeLearned.train

    def noting(self: Any, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        given.append(clean)
        return train(self, y, clean=clean, state=state)

    monkeypatch.setattr(fakes.FakeLearned, "train", noting)
    return given


def config(**more: Any) -> RunConfig:
    return RunConfig.model_validate({"task": "denoise", "method": "fake", **more})


def measured(data: Any = STACK, **facts: Any) -> Measurement:
    return Measurement(data, name="noisy", **facts)


def test_slices_of_the_stack_reach_the_method(seen: list[Any]) -> None:
    chosen = config(
        clean={"slices": (0, 3)}, region=((3, 9), (0, 24), (0, 20)), options={"steps": 2}
    )
    plan = resolve(chosen, measured())
    assert plan.clean is not None
    assert plan.clean.shape == (3, 24, 20)
    assert "clean    noisy 0:3 (z 3 x y 24 x x 20, uint8)" in plan.summary()
    (result,) = [event for event in execute(plan) if isinstance(event, Result)]
    np.testing.assert_array_equal(seen[0], STACK[None, :3])
    assert seen[0].dtype == np.float32
    assert result.provenance.physics["clean"]["choice"]["slices"] == [0, 3]
    noise = result.companions["residual"]
    np.testing.assert_allclose(
        np.asarray(noise.data), STACK[3:] - np.asarray(result.measurement.data)
    )
    assert noise.translate == result.measurement.translate


@pytest.mark.parametrize("axes", ["zyx", "tyx"])
def test_an_array_or_a_measurement_may_be_given(seen: list[Any], axes: str) -> None:
    chosen = config(clean={"source": "array"}, options={"steps": 2})
    for given in (OTHER, Measurement(OTHER, axes=tuple(axes))):
        plan = resolve(chosen, measured(), given={"clean": given})
        list(execute(plan))
    np.testing.assert_array_equal(seen[0], OTHER[None])
    expected = OTHER[None] if axes == "zyx" else OTHER[:, None]
    np.testing.assert_array_equal(seen[1], expected)


def test_every_frame_gets_them(seen: list[Any]) -> None:
    movie = measured(STACK, axes=("t", "y", "x"))
    plan = resolve(config(clean={"slices": (0, 2)}, options={"steps": 1}), movie)
    list(execute(plan))
    assert len(seen) == 9
    assert all(clean.shape == (2, 24, 20) for clean in seen)


def test_a_file_is_read_and_survives_a_round_trip(seen: list[Any], tmp_path: Path) -> None:
    path = volumes.write(tmp_path / "clean.tif", Measurement(OTHER))
    chosen = config(clean={"source": "file", "path": str(path)}, options={"steps": 1})
    text = chosen.to_toml()
    (tmp_path / "run.toml").write_text(text)
    again = RunConfig.load_toml(tmp_path / "run.toml")
    assert again == chosen
    list(execute(resolve(again, measured())))
    np.testing.assert_array_equal(seen[0], OTHER[None])
    with pytest.raises(FileError):
        resolve(config(clean={"source": "file", "path": "nowhere.tif"}), measured())


SIZED = {"units": ("micrometer",) * 3}


@pytest.mark.parametrize(
    ("choice", "given", "message"),
    [
        (None, None, "needs clean examples"),
        (CleanChoice(source="array"), None, "not given"),
        (CleanChoice(source="file"), None, "not named"),
        (CleanChoice(), None, "not said"),
        (CleanChoice(slices=(3, 12)), None, "not all in 'noisy'"),
        (CleanChoice(slices=(5, 5)), None, "not all in"),
        (CleanChoice(slices=(0, 9)), None, "All slices"),
        (CleanChoice(source="array"), np.zeros((0, 4, 4)), "no image"),
        (CleanChoice(source="array"), OTHER.astype(np.uint16), "grey values mean"),
        (
            CleanChoice(source="array"),
            Measurement(OTHER, scale=(1, 0.2, 0.2), **SIZED),
            "The pixels of the clean examples are 0.2 x 0.2 micrometer",
        ),
    ],
)
def test_what_does_not_fit_is_refused(choice: Any, given: Any, message: str) -> None:
    image = measured(scale=(1, 0.1, 0.1), **SIZED)
    with pytest.raises(InputError, match=message) as caught:
        resolve(config(clean=choice), image, given={"clean": given})
    assert caught.value.hint


def test_a_single_image_has_no_slices() -> None:
    with pytest.raises(InputError, match="single image"):
        resolve(config(clean={"slices": (0, 1)}), measured(STACK[0]))


def test_matched_grey_values_may_be_of_another_depth() -> None:
    chosen = config(method="iscl", clean={"source": "array"}, options={"match": "on", "steps": 1})
    plan = resolve(chosen, measured(), given={"clean": OTHER.astype(np.uint16)})
    assert plan.clean is not None


def test_a_method_without_them_says_so(monkeypatch: pytest.MonkeyPatch, seen: list[Any]) -> None:
    monkeypatch.setitem(METHODS._entries, "fake", replace(METHODS["fake"], clean=False))
    plan = resolve(config(clean={"slices": (0, 3)}, options={"steps": 1}), measured())
    assert plan.clean is None
    assert any("not used" in warning for warning in plan.warnings)
    list(execute(plan))
    assert seen == [None]


def test_on_the_command_line(
    seen: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = str(volumes.write(tmp_path / "noisy.tif", Measurement(STACK)))
    clean = str(volumes.write(tmp_path / "clean.tif", Measurement(OTHER)))
    out = str(tmp_path / "out.tif")
    common = ["denoise", noisy, "--method", "fake", "--steps", "1", "--overwrite", "-o", out]
    assert main([*common, "--clean", clean]) == 0
    assert main([*common, "--clean-slices", "0:4"]) == 0
    np.testing.assert_array_equal(seen[0], OTHER[None])
    np.testing.assert_array_equal(seen[1], STACK[None, :4])
    assert main([*common]) == 2
    assert main([*common, "--clean-slices", "0:4,2:3"]) == 2
    assert main([*common, "--clean-slices", "a"]) == 2
    assert main(["denoise", noisy, "--clean", clean, "--method", "fake", "-o", clean]) == 2
    errors = capsys.readouterr().err
    assert "needs clean examples" in errors
    assert "more than one range" in errors
    assert "would be overwritten" in errors
    assert main(["denoise", noisy, "--clean-slices", "0:4", "--dump-config"]) == 0
    printed = capsys.readouterr().out
    assert 'method = "iscl"' in printed
    assert "slices = [0, 4]" in printed
    assert (
        main(["denoise", noisy, "--clean-slices", "0:4", "--dimensions", "3D", "--dump-config"])
        == 0
    )
    assert 'dimensions = "3D"' in capsys.readouterr().out
