"""Runs that reconstruct: what is posed, what is refused, what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import recon_fakes
from napari_selfsup_recon.core.errors import InputError, UnstableTrainingError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.io.kspace import complex_measurement
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs import Control, Result, RunConfig, RunPlan, Tomograph, resolve
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.suits import refuse

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    recon_fakes.install(monkeypatch)


def config(instrument: str = "parallel-beam", **more: Any) -> RunConfig:
    physics = {"instrument": instrument} | more.pop("physics", {})
    return RunConfig.model_validate(
        {
            "task": "reconstruct",
            "method": "fake-recon",
            "baseline": "fake-dagger",
            "physics": physics,
            **more,
        }
    )


def measured(data: Any, **more: Any) -> Measurement:
    return Measurement(np.asarray(data), name="scan", **more)


def results(events: list[Event]) -> list[Result]:
    return [event for event in events if isinstance(event, Result)]


def plan_of(data: Any = None, given: Any = None, **more: Any) -> RunPlan:
    sinogram, degrees = recon_fakes.sinogram()
    source = data if isinstance(data, Measurement) else measured(sinogram if data is None else data)
    return resolve(config(**more), source, given={"angles": degrees} if given is None else given)


def test_a_stack_of_projections_becomes_a_volume_with_its_voxels() -> None:
    stack, degrees = recon_fakes.sinogram(slices=3)
    projections = measured(
        np.swapaxes(stack, 0, 1),
        axes=("z", "y", "x"),
        scale=(1, 0.7, 0.5),
        units=("pixel", "micrometer", "micrometer"),
    )
    before = np.array(projections.data)
    plan = plan_of(projections, {"angles": degrees})
    assert plan.problem is not None
    assert plan.problem.y.shape == (3, 60, 48)
    assert plan.problem.axis == pytest.approx(22.6, abs=0.3)
    assert "result   z 3 x y 48 x x 48" in plan.summary()
    events = list(execute(plan))
    assert isinstance(events[-1], Done)
    first, last = results(events)
    for result in (first, last):
        image = result.measurement
        assert image.shape == (3, 48, 48)
        assert image.scale == (0.7, 0.5, 0.5)
        assert image.units == ("micrometer",) * 3
        # Slices differ by the factor that was put in.
        disc = image.data[:, 20:28, 20:28].mean(axis=(1, 2))
        np.testing.assert_allclose(disc / disc[0], [1, 1.1, 1.2], rtol=1e-3)
    assert first.label == "FAKE-DAGGER 2"
    facts = json.loads(json.dumps(last.provenance.as_dict()))
    assert facts["physics"]["kind"] == "parallel-beam"
    assert len(facts["physics"]["angles_deg"]) == 60
    assert facts["physics"]["axis_column"] == pytest.approx(22.6, abs=0.3)
    np.testing.assert_array_equal(projections.data, before)


def test_the_disc_has_its_value_and_its_place() -> None:
    plan = plan_of(method=None)
    (result,) = results(list(execute(plan)))
    image = result.measurement.data
    assert image.shape == (48, 48)
    assert image[24, 14:18].mean() == pytest.approx(0.02, rel=0.15)
    # The small disc lies 6 columns right of the centre and 3 rows below it.
    row, column = np.unravel_index(np.argmax(image), image.shape)
    assert abs(row - 26.5) < 4.5
    assert abs(column - 29.5) < 4.5


def test_learned_methods_see_all_slices_and_are_kept() -> None:
    stack, degrees = recon_fakes.sinogram(slices=3)
    plan = plan_of(measured(stack), {"angles": degrees}, baseline=None, preview_every=1e-9)
    events = list(execute(plan, keep_models=True))
    (result,) = results(events)
    (model,) = result.models
    assert model.seen == (3, 60, 48)
    assert result.provenance.scores == {"chosen": 0.25}
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    assert previews[0].image.shape == (48, 48)


def test_a_failing_training_keeps_what_was_reached() -> None:
    events: list[Event] = []
    plan = plan_of(baseline=None, options={"fail_at": 3})
    with pytest.raises(UnstableTrainingError):
        events.extend(execute(plan))  # keeps what came before the error
    (result,) = results(events)
    assert result.provenance.reason == "failed"


def test_stopping_keeps_the_slices_that_are_done() -> None:
    stack, degrees = recon_fakes.sinogram(slices=3)
    control = Control()
    events = []
    for event in execute(plan_of(measured(stack), {"angles": degrees}, method=None), control):
        events.append(event)
        control.stop()
    assert any(isinstance(e, Done) and e.reason == "stopped" for e in events)
    for result in results(events):
        assert np.isnan(result.measurement.data[-1]).all()
        assert any(isinstance(e, Notice) and "of 3 slices" in e.message for e in events)


@pytest.mark.parametrize(
    ("scan", "kind"),
    [
        ({"span": 180.0}, "range"),
        ({"view_angles": list(recon_fakes.sinogram()[1])}, "list"),
        ({"angles": "FILE"}, "file"),
    ],
)
def test_angles_come_from_a_file_a_list_a_range_or_the_metadata(
    scan: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    sinogram, degrees = recon_fakes.sinogram()
    if kind == "file":
        np.savetxt(tmp_path / "a.txt", degrees)
        scan = {"angles": str(tmp_path / "a.txt")}
    plan = plan_of(physics={"scan": scan}, given={})
    assert plan.problem is not None
    assert plan.problem.degrees is not None
    np.testing.assert_allclose(plan.problem.degrees, degrees, atol=1e-6)
    tagged = measured(sinogram, metadata={"theta_deg": list(degrees)})
    other = plan_of(tagged, {})
    assert other.problem is not None
    np.testing.assert_allclose(other.problem.degrees, degrees)


def test_transposed_sinograms_and_radians_are_told() -> None:
    sinogram, degrees = recon_fakes.sinogram()
    plan = plan_of(measured(sinogram.T), {"angles": np.deg2rad(degrees)})
    words = " ".join(f.message for f in plan.problem.findings)  # type: ignore[union-attr]
    assert "transposed" in words
    assert "radians" in words
    assert "transposed" in plan.summary()


def test_counts_need_light_and_give_line_integrals_of_the_right_size() -> None:
    sinogram, degrees = recon_fakes.sinogram()
    flat = np.full((3, 48), 2e4)
    counts = RNG.poisson(2e4 * np.exp(-sinogram))
    given = {"angles": degrees, "flat": flat, "dark": np.zeros(48)}
    plain = plan_of(measured(counts), given)
    assert plain.problem is not None
    assert np.abs(plain.problem.y[0] - sinogram).mean() < 0.02
    kept = plan_of(measured(counts), given, instrument="transmission")
    assert kept.problem is not None
    assert kept.problem.facts["light"] == pytest.approx(2e4)
    np.testing.assert_allclose(kept.problem.y[0], counts, rtol=1e-4)
    said = plan_of(
        measured(counts),
        instrument="transmission",
        physics={"scan": {"light": 2e4, "axis": 22.6}},
    )
    assert said.problem is not None
    assert said.problem.facts["light"] == 2e4
    with pytest.raises(InputError, match="light that comes in"):
        plan_of(measured(counts), instrument="transmission")


def test_a_missing_wedge_is_told() -> None:
    sinogram, degrees = recon_fakes.sinogram()
    plan = plan_of(measured(sinogram[:45]), {"angles": degrees[:45]})
    assert any("are missing" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("data", "given", "physics", "message"),
    [
        (None, {"angles": np.arange(7)}, {}, "7 angles"),
        (None, None, {"scan": {"axis": 100.0}}, "outside the detector"),
        (None, None, {"scan": {"slices": [2, 9]}}, "no slices 2 to 9"),
        (None, {"angles": np.full(60, np.nan)}, {}, "not all of them are numbers"),
        (np.full((60, 48), np.nan), None, {}, "NaN"),
        (np.zeros((2, 2, 60, 48)), None, {}, "4 axes"),
        (np.zeros((60, 48)), None, {}, "is constant"),
    ],
)
def test_bad_scans_are_refused_in_words(
    data: Any, given: Any, physics: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        plan_of(data, given, physics=physics)
    assert caught.value.hint


def test_other_bad_wishes_are_refused() -> None:
    with pytest.raises(InputError, match="part of the image"):
        plan_of(region=((0, 20), (0, 20)))
    with pytest.raises(InputError, match="instrument has to be known"):
        plan_of(instrument="blur")
    with pytest.raises(InputError, match="distances of the fan beam"):
        plan_of(instrument="fan-beam")
    with pytest.raises(InputError, match="cannot reconstruct measurements of the kind 'MRI"):
        plan_of(instrument="mri", method="wiener")
    with pytest.raises(ValidationError, match="holds nothing"):
        resolve(config(physics={"scan": {"slices": (5, 2)}}), measured(np.ones((9, 9))))


def test_methods_that_cannot_take_an_instrument_are_refused() -> None:
    lucy = METHODS.find("richardson-lucy")
    lucy = Entry(**{**lucy.__dict__, "tasks": ("deconvolve", "reconstruct")})
    with pytest.raises(InputError, match="Lucy-Richardson cannot reconstruct from 'MRI"):
        refuse(lucy, "mri")
    refuse(lucy, "parallel-beam")


def holes(shape: tuple[int, ...] = (24, 24)) -> tuple[Any, Any]:
    return 10 + RNG.random(shape), RNG.random(shape) > 0.4


@pytest.mark.parametrize("how", ["array", "nan", "constant", "file"])
def test_missing_pixels_are_known_by_mask_nan_or_value(how: str, tmp_path: Path) -> None:
    image, mask = holes()
    given: dict[str, Any] = {}
    physics: dict[str, Any] = {}
    data = np.where(mask, image, {"nan": np.nan, "constant": -1.0}.get(how, 7.0))
    if how == "array":
        given["mask"] = 255 * mask.astype(np.uint8)
    elif how == "file":
        np.save(tmp_path / "m.npy", mask.astype(np.uint8))
        physics = {"sampling": {"mask": "file", "path": str(tmp_path / "m.npy")}}
    elif how == "constant":
        physics = {"sampling": {"missing": -1.0}}
    plan = plan_of(measured(data), given, instrument="inpainting", physics=physics)
    (*_, result) = results(list(execute(plan)))
    np.testing.assert_allclose(result.measurement.data, np.where(mask, image, 0), rtol=1e-6)


def test_masks_may_differ_from_slice_to_slice() -> None:
    image, mask = holes((3, 16, 16))
    plan = plan_of(measured(np.where(mask, image, np.nan)), {}, instrument="inpainting")
    (*_, result) = results(list(execute(plan)))
    np.testing.assert_allclose(result.measurement.data, np.where(mask, image, 0), rtol=1e-6)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((24, 20)), "The mask is 24 x 20, the image 24 x 24"),
        (np.zeros((24, 24)), "All pixels are missing"),
        (np.ones((24, 24)), "No pixel is missing"),
    ],
)
def test_bad_masks_are_refused(mask: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        plan_of(measured(holes()[0]), {"mask": mask}, instrument="inpainting")
    assert caught.value.hint


@pytest.mark.parametrize("centred", [True, False])
def test_k_space_gives_the_image(centred: bool) -> None:
    image = np.zeros((24, 32))
    image[8:16, 10:20] = 1
    kspace = np.fft.fft2(np.fft.ifftshift(image), norm="ortho")
    if centred:
        kspace = np.fft.fftshift(kspace)
    plan = plan_of(complex_measurement(kspace, name="k"), {}, instrument="mri")
    assert any(f.step == "centre" for f in plan.problem.findings) != centred  # type: ignore[union-attr]
    (*_, result) = results(list(execute(plan)))
    np.testing.assert_allclose(result.measurement.data, image, atol=1e-5)
    assert result.companions["phase"].shape == (24, 32)
    with pytest.raises(InputError, match="not complex"):
        plan_of(measured(image), {}, instrument="mri")


def test_toml_holds_all_of_it(tmp_path: Path) -> None:
    made = config(
        "transmission",
        physics={"scan": {"axis": 22.5, "air": (0, 8), "slices": "1:3", "view_angles": (0, 1.5)}},
    )
    (tmp_path / "run.toml").write_text(made.to_toml(), encoding="utf-8")
    assert RunConfig.load_toml(tmp_path / "run.toml") == made
    default = RunConfig(task="reconstruct", physics={"instrument": "mri"})  # type: ignore[arg-type]
    assert (default.method, default.baseline) == ("ei", "least-squares")


def test_air_is_one_range_of_columns_or_two() -> None:
    assert Tomograph(air="0:8:40:48").air == (0, 8, 40, 48)  # type: ignore[arg-type]
    for bad in ("0:8:40", "8:0", "0:8:48:40"):
        with pytest.raises(ValidationError, match="air"):
            Tomograph(air=bad)  # type: ignore[arg-type]
    sinogram, degrees = recon_fakes.sinogram()
    light = 2e4 * np.linspace(0.6, 1.0, 48)
    given = {"angles": degrees, "flat": np.full((1, 48), 2e4), "dark": np.zeros(48)}
    plan = plan_of(
        measured(light * np.exp(-sinogram)), given, physics={"scan": {"air": (0, 2, 46, 48)}}
    )
    assert plan.problem is not None
    np.testing.assert_allclose(plan.problem.y[0], sinogram, atol=0.01)


def test_a_learned_result_says_what_to_trust() -> None:
    stack, degrees = recon_fakes.sinogram(columns=24, axis=11.0, views=12, slices=2)
    plan = plan_of(
        measured(stack, scale=(2, 1, 0.5)),
        {"angles": degrees},
        method="ei",
        options={"steps": 1, "width": 2, "iterations": 1},
        baseline=None,
        trust=True,
    )
    events = list(execute(plan))
    (result,) = results(events)
    image = result.measurement
    assert set(result.companions) == {"residual", "seen", "inferred", "spread"}
    parts = {name: np.asarray(made.data) for name, made in result.companions.items()}
    np.testing.assert_allclose(parts["seen"] + parts["inferred"], image.data, atol=1e-5)
    assert parts["residual"].shape == stack.shape
    assert result.companions["residual"].scale == (2, 0.5, 0.5)
    assert result.companions["spread"].scale == image.scale
    told = [event.message for event in events if isinstance(event, Notice)]
    assert any("%" in message for message in told)
    shares = result.provenance.scores
    assert 0 < shares["share that is measured"] < shares["share that can be learned"] <= 1


def test_robust_learning_has_to_be_told_the_noise_of_gaps() -> None:
    image, mask = holes()
    data = measured(np.where(mask, image, 0))
    with pytest.raises(InputError, match="has to know the noise"):
        plan_of(data, {}, instrument="inpainting", method="rei")
    assert plan_of(data, {}, instrument="inpainting", method="rei", noise={"read_noise": 0.1})
    assert plan_of(method="rei")  # of sinograms it is estimated


@pytest.mark.parametrize("key", ["total-variation", "least-squares", "filtered-back-projection"])
def test_the_classical_methods_run_on_what_they_take(key: str) -> None:
    sinogram, degrees = recon_fakes.sinogram(columns=24, axis=11.0, views=12)
    image, mask = holes((16, 16))
    kspace = np.fft.fftshift(np.fft.fft2(image)) * mask
    counts = RNG.poisson(1e4 * np.exp(-sinogram))
    for instrument, data, physics in (
        ("parallel-beam", measured(sinogram), {}),
        (
            "fan-beam",
            measured(sinogram),
            {"scan": {"source_distance": 90, "detector_distance": 0}},
        ),
        ("transmission", measured(counts), {"scan": {"light": 1e4, "axis": 11.0}}),
        ("inpainting", measured(np.where(mask, image, 0)), {}),
        ("mri", complex_measurement(kspace, name="k"), {}),
    ):
        given = {"angles": degrees} if physics or data.shape == sinogram.shape else {}
        asked = {"instrument": instrument, "physics": physics, "method": None, "baseline": key}
        if key == "filtered-back-projection" and instrument in ("inpainting", "mri"):
            with pytest.raises(InputError, match="needs the projections"):
                plan_of(data, given, **asked)
            continue
        (result,) = results(list(execute(plan_of(data, given, **asked))))
        assert np.isfinite(result.measurement.data).all()
        assert json.dumps(result.provenance.as_dict())
