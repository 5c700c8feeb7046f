"""Clean examples on their way from what was chosen to the method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

import fakes
from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Event, Notice, Stage, Step
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs import CleanChoice, Result, RunConfig, resolve
from napari_selfsup_recon.runs._pseudo_clean import Averages
from napari_selfsup_recon.runs.control import Control
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
    for examples in (OTHER, Measurement(OTHER, axes=tuple(axes))):
        plan = resolve(chosen, measured(), given={"clean": examples})
        list(execute(plan))
    np.testing.assert_array_equal(seen[0], OTHER[None])
    expected = OTHER[None] if axes == "zyx" else OTHER[:, None]
    np.testing.assert_array_equal(seen[1], expected)


@pytest.mark.parametrize("axes", ["zyx", "tyx"])
def test_averages_of_neighbours(seen: list[Any], axes: str) -> None:
    image = measured(axes=tuple(axes), scale=(2, 1, 1))
    plan = resolve(config(clean={"source": "average", "average": 3}, options={"steps": 1}), image)
    assert plan.clean is not None
    assert plan.clean.shape == (7, 24, 20)
    assert plan.clean.translate == (2, 0, 0)
    assert any("averages of 3 neighbours" in warning for warning in plan.warnings)
    list(execute(plan))
    expected = np.stack([STACK[z : z + 3].mean(0) for z in range(7)]).astype(np.float32)
    np.testing.assert_allclose(seen[0], expected[None] if axes == "zyx" else expected, rtol=1e-6)


def test_averages_of_some_slices_alone(seen: list[Any]) -> None:
    chosen = {"source": "average", "average": 2, "slices": (4, 9)}
    list(execute(resolve(config(clean=chosen, options={"steps": 1}), measured())))
    expected = np.stack([STACK[z : z + 2].mean(0) for z in range(4, 8)])
    np.testing.assert_allclose(seen[0][0], expected, rtol=1e-6)


@given(st.data())
def test_averages_are_read_piece_by_piece(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(3, 6)] * 3))
    axis, count = data.draw(st.integers(0, 2)), data.draw(st.integers(2, 3))
    values = np.random.default_rng(0).random(shape)
    means = Averages(values, axis, count)
    whole = sliding_window_view(values, count, axis=axis).mean(-1)
    assert means.shape == whole.shape
    key = tuple(data.draw(st.integers(-n, n - 1) | st.slices(n), label="key") for n in means.shape)
    np.testing.assert_allclose(means[key], whole[key], rtol=1e-6)
    np.testing.assert_allclose(np.asarray(means), whole, rtol=1e-6)


def test_the_denoised_image_may_serve_as_examples(seen: list[Any]) -> None:
    movie = measured(STACK[:2], axes=("t", "y", "x"))
    chosen = config(clean={"source": "denoised", "steps": 2}, options={"steps": 1})
    plan = resolve(chosen, movie)
    assert any("masked self-supervision" in warning for warning in plan.warnings)
    events = list(execute(plan))
    stages = [event.name for event in events if isinstance(event, Stage)]
    assert stages.count("Making clean examples") == 2  # learned and made once for both frames
    assert len(seen) == 2
    assert seen[0] is seen[1]
    assert seen[0].shape == (2, 24, 20)
    assert np.isfinite(seen[0]).all()
    assert not np.array_equal(seen[0], STACK[:2])
    (result,) = [event for event in events if isinstance(event, Result)]
    assert result.provenance.physics["clean"]["choice"]["source"] == "denoised"


def test_stopping_while_examples_are_made_ends_the_run(seen: list[Any]) -> None:
    chosen = config(clean={"source": "denoised", "steps": 50}, options={"steps": 1})
    control = Control(show_preview=False)
    told = []
    for event in execute(resolve(chosen, measured(STACK[0])), control):
        told.append(event)
        if isinstance(event, Step):
            control.stop()
    assert not seen
    assert not [event for event in told if isinstance(event, Result)]
    assert any("before anything" in e.message for e in told if isinstance(e, Notice))


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
        (CleanChoice(source="average", average=10), None, "only 9 slices"),
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
    for chosen in ({"slices": (0, 1)}, {"source": "average"}):
        with pytest.raises(InputError, match="single image"):
            resolve(config(clean=chosen), measured(STACK[0]))


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
    assert main([*common, "--clean-average", "3"]) == 0
    np.testing.assert_allclose(seen[2][0, 0], STACK[:3].mean(0), rtol=1e-6)
    assert main([*common, "--clean-average", "1"]) == 2
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
    assert main(["denoise", noisy, "--clean-denoised", "--dump-config"]) == 0
    printed = capsys.readouterr().out
    assert 'method = "iscl"' in printed
    assert 'source = "denoised"' in printed
