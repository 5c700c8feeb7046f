"""A PSF for each channel: each comes out as in a run of its own, and nothing is mixed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.physics.psf import Finding, gaussian
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.runs import Result, RunConfig, RunPlan, resolve
from napari_selfsup_recon.runs.applied import psfs_of_models
from napari_selfsup_recon.runs.batch.plan import plan_batch
from napari_selfsup_recon.runs.batch.rows import Input
from napari_selfsup_recon.runs.batch.run import run_batch
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.kept import Kept
from napari_selfsup_recon.runs.psf_channels import merged
from napari_selfsup_recon.runs.reading import Reading

PIXELS = (0.1, 0.1)
# Of one size, to be stacked, and of two widths.
NARROW, WIDE = (np.asarray(gaussian(width)) for width in (2.0, 4.0))
NARROW = np.pad(NARROW, (len(WIDE) - len(NARROW)) // 2)
BOTH = np.stack([NARROW, WIDE])


def image(*leading: int, axes: str = "cyx") -> Measurement:
    data = np.random.default_rng(0).poisson(50, (*leading, 24, 28)).astype(np.float32)
    lead = len(leading)
    return Measurement(
        data,
        axes=tuple(axes),
        scale=(1.0,) * lead + PIXELS,
        units=("pixel",) * lead + ("micrometer",) * 2,
        name="cells",
    )


def plan_for(measured: Measurement, psf: Any = None, **more: Any) -> RunPlan:
    physics = {"psf": "array", **more.pop("physics", {})}
    values = {
        "method": "richardson-lucy",
        "baseline": None,
        "options": {"iterations": 4},
        "physics": physics,
        **more,
    }
    return resolve(RunConfig.model_validate(values), measured, psf=psf)


def run(plan: RunPlan) -> np.ndarray[Any, Any]:
    (result,) = [event for event in execute(plan) if isinstance(event, Result)]
    return np.asarray(result.measurement.data)


def alone(measured: Measurement, channel: int, psf: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what a run of one channel gives."""
    part = Measurement(
        np.asarray(measured.data)[channel],
        measured.axes[1:],
        measured.scale[1:],
        measured.units[1:],
    )
    return run(plan_for(part, psf))


def measured_psf(axes: str = "cyx") -> Measurement:
    units = tuple("pixel" if axis == "c" else "micrometer" for axis in axes)
    return Measurement(BOTH, tuple(axes), (1.0, *PIXELS), units, name="PSF")


@pytest.mark.parametrize(
    "given", [[NARROW, WIDE], BOTH, measured_psf()], ids=["list", "array", "c"]
)
def test_each_channel_is_sharpened_with_its_own_psf(given: Any) -> None:
    measured = image(2)
    plan = plan_for(measured, given)
    made = run(plan)
    for channel, psf in enumerate((NARROW, WIDE)):
        np.testing.assert_array_equal(made[channel], alone(measured, channel, psf))
    assert not np.array_equal(made[0], alone(measured, 0, WIDE))
    assert plan.psf_report[0] == Finding("origin", "Each of the 2 channels has a PSF of its own.")
    assert plan.summary().count("boundary extended") == 2


def test_times_share_the_psf_of_their_channel() -> None:
    measured = image(3, 2, axes="tcyx")
    made = run(plan_for(measured, BOTH))
    for time in range(3):
        part = Measurement(np.asarray(measured.data)[time], *_facts(measured))
        np.testing.assert_array_equal(made[time], run(plan_for(part, BOTH)))


def _facts(measured: Measurement) -> tuple[Any, ...]:
    return measured.axes[1:], measured.scale[1:], measured.units[1:]


def test_of_chosen_channels_the_right_psf_is_taken() -> None:
    measured = image(2)
    plan = plan_for(measured, BOTH, frames=((1,),))
    np.testing.assert_array_equal(run(plan)[0], alone(measured, 1, WIDE))
    # A single channel of two, as a window shows it.
    part = Measurement(np.asarray(measured.data)[1], *_facts(measured))
    for given in (BOTH, [NARROW, WIDE], measured_psf()):
        held = plan_for(part, given, physics={"channel": (1, 2)})
        np.testing.assert_array_equal(run(held), run(plan)[0])


def test_one_psf_serves_all_channels() -> None:
    measured = image(2)
    for given in (WIDE, [WIDE], WIDE[None]):
        plan = plan_for(measured, given)
        assert len(plan.psfs) == 1
        assert "Channel" not in plan.summary()


@pytest.mark.parametrize(
    ("measured", "given", "more", "message"),
    [
        (image(3), BOTH, {}, "2 entries along its first axis, but 'cells' has 3 channels"),
        (image(axes="yx"), BOTH, {}, "The PSF has 3 axes"),
        (image(3), [NARROW, WIDE], {}, "There are 2 PSFs, but 'cells' has 3 channels"),
        (image(3), measured_psf(), {}, "There are 2 PSFs, but 'cells' has 3 channels"),
        (image(axes="yx"), measured_psf(), {}, "has no channels"),
        (image(2, axes="tyx"), [NARROW, WIDE], {}, "has no channels"),
        (image(axes="yx"), measured_psf(), {"channel": (1, 3)}, "has 3 channels"),
        (image(axes="yx"), None, {"channel": (2, 2)}, "no channel 2 of 2"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    measured: Measurement, given: Any, more: Any, message: str
) -> None:
    with pytest.raises((InputError, ValueError), match=message) as caught:
        plan_for(measured, given, physics=more)
    assert getattr(caught.value, "hint", "there")


def test_files_in_toml(tmp_path: Path) -> None:
    measured = image(2)
    names = [str(tmp_path / f"{n}.npy") for n in (0, 1)]
    for name, psf in zip(names, (NARROW, WIDE), strict=True):
        np.save(name, psf)
    np.save(tmp_path / "both.npy", BOTH)
    expected = run(plan_for(measured, BOTH))
    for path in (str(tmp_path / "both.npy"), tuple(names)):
        config = plan_for(measured, physics={"psf": "file", "path": path}).config
        (tmp_path / "run.toml").write_text(config.to_toml())
        read = RunConfig.load_toml(tmp_path / "run.toml")
        assert read.physics.path == path
        np.testing.assert_array_equal(run(resolve(read, measured)), expected)


def test_a_wavelength_for_each_channel() -> None:
    measured, microscope = image(2), {"numerical_aperture": 1.2, "wavelength": 480.0}
    theory = {"psf": "theory", "microscope": microscope}
    plan = plan_for(measured, physics={**theory, "wavelengths": (480, 640)})
    one, other = (
        plan_for(measured, physics={"psf": "theory", "microscope": {**microscope, "wavelength": w}})
        for w in (480.0, 640.0)
    )
    for kernel, own in zip(plan.psfs, (one, other), strict=True):
        np.testing.assert_array_equal(kernel, own.psf)
    assert "Channel 1: Widefield, NA 1.2, immersion 1.33, 640 nm" in plan.summary()
    with pytest.raises(InputError, match="3 emission wavelengths, but 'cells' has 2 channels"):
        plan_for(measured, physics={**theory, "wavelengths": (480, 560, 640)})
    with pytest.raises(InputError, match="micrometers"):
        plan_for(measured, physics={**theory, "wavelengths": (0.48, 0.64)})


def test_provenance_tells_of_each() -> None:
    (result,) = [e for e in execute(plan_for(image(2), BOTH)) if isinstance(e, Result)]
    physics = result.provenance.physics
    assert len(set(physics["psf_fingerprint"])) == len(physics["psf_shape"]) == 2


def test_a_batch_of_channels(tmp_path: Path) -> None:
    measured = image(2)
    np.save(tmp_path / "cells.npy", measured.data)
    np.save(tmp_path / "both.npy", BOTH)
    physics = {"psf": "file", "path": str(tmp_path / "both.npy")}
    config = plan_for(measured, physics=physics).config
    rows = [Input(tmp_path / "cells.npy", channel=str(n)) for n in (0, 1)]
    plan = plan_batch(config, rows, ending=".npy", reading=Reading("cyx", PIXELS, "micrometer"))
    list(run_batch(plan))
    for channel, row in enumerate(plan.rows):
        expected = alone(measured, channel, BOTH[channel])
        np.testing.assert_array_equal(np.load(row.output).squeeze(), expected)
    # What was made with another PSF is not taken for made.
    own = [plan_batch(config, rows, psf=psf).settings for psf in ([NARROW, WIDE], [WIDE, NARROW])]
    assert own[0] != own[1]


@pytest.mark.parametrize(("axes", "order"), [("tcyx", "abab"), ("ctyx", "aabb")])
def test_trained_models_bring_their_psfs_along(axes: str, order: str) -> None:
    kernels = {"a": NARROW, "b": WIDE}
    models = [
        Kept("ssi", Options(), Recipe("blur", {}, {"psf": kernels[name]}), None, {}, {})
        for name in order
    ]
    found = psfs_of_models(models, image(2, 2, axes=axes))
    for psf, own in zip(found, BOTH, strict=True):
        np.testing.assert_array_equal(psf, own)
    assert len(psfs_of_models(models[:1] * 4, image(2, 2, axes=axes))) == 1
    assert psfs_of_models([replace(models[0], physics=Recipe("identity"))], image(2)) == ()


def test_what_is_alike_is_said_once() -> None:
    fine, moved = Finding("centre", "It is in the middle."), Finding("centre", "Moved.", "repaired")
    undo = Finding("size", "Cropped.", "repaired", undoable=True)
    names = ("Channel 0", "Channel 1")
    assert merged([(fine, undo), (moved, undo)], names) == (
        Finding("centre", "Channel 1: Moved.", "repaired"),
        undo,
    )
    assert merged([(fine,), (fine,)], names) == (fine,)
    assert merged([(fine,)], ()) == (fine,)
