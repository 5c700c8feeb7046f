"""PSFs from theory, repairs that were undone, and noise that is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

import fakes
from napari_selfsup_recon import Gaussian, PoissonGaussian, psf
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Event, Stage
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs import PhysicsChoice, Result, RunConfig, resolve
from napari_selfsup_recon.runs.config import NoiseChoice
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.names import chosen_by, result_label
from napari_selfsup_recon.runs.noise import look_at, noise_for, thinned

RNG = np.random.default_rng(0)
MICROSCOPE = {"numerical_aperture": 0.8, "immersion_index": 1.0, "wavelength": 600.0}


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)


def cells(unit: str = "micrometer", pixel: float = 0.1, **more: Any) -> Measurement:
    image = RNG.poisson(50, (140, 150)).astype(np.float32)
    return Measurement(image, scale=(pixel, pixel), units=(unit,) * 2, name="cells", **more)


def config(**more: Any) -> RunConfig:
    return RunConfig.model_validate({"method": "fake", "baseline": None, **more})


def results(events: list[Event]) -> list[Result]:
    return [event for event in events if isinstance(event, Result)]


THEORY = {"psf": "theory", "microscope": MICROSCOPE}


def test_a_psf_from_theory_is_that_of_the_microscope_and_the_voxels() -> None:
    plan = resolve(config(physics=THEORY), cells())
    direct = psf.theoretical(psf.Microscope(**MICROSCOPE), voxel_size=(0.1, 0.1))
    assert plan.psf is not None
    np.testing.assert_array_equal(plan.psf, direct)
    assert plan.psf_report[0].message.startswith("Widefield, NA 0.8, immersion 1, 600 nm")
    # The same microscope for the same voxels in other units.
    nanometers = resolve(config(physics=THEORY), cells("nanometer", 100.0))
    np.testing.assert_allclose(nanometers.psf, direct, rtol=1e-12)


def test_it_is_cropped_to_a_small_image() -> None:
    thin = Measurement(
        RNG.poisson(50, (5, 64, 64)), scale=(0.3, 0.2, 0.2), units=("micrometer",) * 3
    )
    plan = resolve(config(physics=THEORY), thin)
    assert plan.psf is not None
    assert plan.psf.shape == (5, 63, 63)
    assert plan.psf.sum() == pytest.approx(1)
    assert np.unravel_index(plan.psf.argmax(), plan.psf.shape) == (2, 31, 31)
    (cut,) = [f for f in plan.psf_report if f.step == "size"]
    assert cut.level == "warning"
    assert "5 x 63 x 63 voxels, 18% of its light" in cut.message


def test_coarse_voxels_are_told() -> None:
    plan = resolve(config(physics=THEORY), cells(pixel=0.8))
    assert any(f.step == "sampling" and f.level == "warning" for f in plan.psf_report)


@pytest.mark.parametrize(
    ("physics", "measurement", "message"),
    [
        ({"psf": "theory"}, cells(), "not described"),
        (THEORY, Measurement(cells().data), "voxel size of 'image' is not known"),
        (THEORY, cells(pixel=100.0), "does not go with an objective"),
    ],
)
def test_what_theory_cannot_use_is_refused(
    physics: dict[str, Any], measurement: Measurement, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolve(config(physics=physics), measurement)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("numerical_aperture", 1.2, "only possible above an index of 1.2"),
        ("wavelength", 0.6, "looks like micrometers"),
    ],
)
def test_impossible_microscopes_are_named(
    tmp_path: Path, key: str, value: float, message: str
) -> None:
    lines = [f"{k} = {v}" for k, v in (MICROSCOPE | {key: value}).items()]
    path = tmp_path / "run.toml"
    path.write_text("[physics]\npsf='theory'\n[physics.microscope]\n" + "\n".join(lines))
    with pytest.raises(InputError, match=message) as caught:
        RunConfig.load_toml(path)
    assert "physics.microscope" in str(caught.value)


def test_an_undone_repair_is_left_out_and_told(tmp_path: Path) -> None:
    off = np.zeros((9, 9))
    off[3, 4] = 2.0
    off[3:5, 4] += 1.0
    given = Measurement(off, scale=(0.1, 0.1), units=("micrometer",) * 2)
    moved = resolve(config(physics={"psf": "array"}), cells(), psf=given)
    (found,) = [f for f in moved.psf_report if f.step == "centre"]
    assert found.undoable
    choice = config(physics={"psf": "array", "keep": ("centre",)})
    kept = resolve(choice, cells(), psf=given)
    assert kept.psf is not None
    peak = np.array(np.unravel_index(kept.psf.argmax(), kept.psf.shape))
    assert (peak - np.array(kept.psf.shape) // 2).tolist() == [-1, 0]
    (found,) = [f for f in kept.psf_report if f.step == "centre"]
    assert found.skipped
    path = tmp_path / "run.toml"
    path.write_text(choice.to_toml())
    assert RunConfig.load_toml(path).physics.keep == ("centre",)
    (result,) = results(list(execute(kept)))
    story = json.loads(json.dumps(result.provenance.as_dict()))
    assert story["physics"]["choice"]["keep"] == ["centre"]
    with pytest.raises(InputError, match="'colour'"):
        resolve(config(physics={"psf": "array", "keep": ("colour",)}), cells(), psf=given)


def test_everything_survives_toml(tmp_path: Path) -> None:
    full = config(physics=THEORY, noise={"gain": 2.0, "read_noise": 1.5})
    path = tmp_path / "run.toml"
    path.write_text(full.to_toml())
    assert RunConfig.load_toml(path) == full
    assert isinstance(full.physics, PhysicsChoice)


class TestNoise:
    """What is known wins over what is estimated."""

    measured = (2.0 * RNG.poisson(60, (64, 64)) + 100 + RNG.normal(0, 3, (64, 64))).astype("f4")

    def test_nothing_known_leaves_it_to_the_method(self) -> None:
        assert noise_for(None, self.measured, None) is None
        assert noise_for(NoiseChoice(), self.measured, None) is None

    def test_all_known_is_taken_as_it_is(self) -> None:
        noise = noise_for(NoiseChoice(gain=2.0, offset=100.0, read_noise=3.0), self.measured, None)
        assert noise is not None
        assert noise.model() == PoissonGaussian(gain=2.0, sigma=3.0, offset=100.0)
        dark = noise_for(NoiseChoice(gain=0.0, offset=0.0, read_noise=3.0), self.measured, None)
        assert dark is not None
        assert dark.model() == Gaussian(3.0)

    def test_the_rest_is_estimated(self) -> None:
        noise = noise_for(NoiseChoice(gain=2.0), self.measured, None)
        found = look_at(Measurement(self.measured))
        assert noise is not None
        assert (noise.gain, noise.offset) == (2.0, found.offset)

    def test_another_offset_moves_the_read_noise_along_the_line(self) -> None:
        found = look_at(Measurement(self.measured))
        noise = noise_for(NoiseChoice(offset=found.offset + 10), self.measured, None)
        assert noise is not None
        assert noise.sigma**2 == pytest.approx(found.sigma**2 + 10 * found.gain)

    def test_no_noise_at_all_is_refused(self) -> None:
        with pytest.raises(InputError, match="both 0"):
            noise_for(NoiseChoice(gain=0.0, offset=0.0, read_noise=0.0), self.measured, None)

    @pytest.mark.parametrize(
        "shape", [(64, 64), (5000, 6000), (40, 1000, 1000), (3, 9000, 9000), (2000, 64, 64)]
    )
    def test_of_large_images_a_part_is_read(self, shape: tuple[int, ...]) -> None:
        part = np.broadcast_to(np.float32(0), shape)[thinned(shape)]
        assert part.size <= 16_100_000
        assert part.shape[-1] == shape[-1]
        assert part.size == np.prod(shape) or part.size > 7_000_000

    def test_holes_are_told(self) -> None:
        with pytest.raises(InputError, match="NaN"):
            look_at(Measurement(np.full((16, 16), np.nan)))

    def test_the_method_gets_it_and_provenance_keeps_it(self) -> None:
        given = {"gain": 2.0, "offset": 100.0, "read_noise": 3.0}
        plan = resolve(config(task="denoise", noise=given), cells())
        (result,) = [e for e in execute(plan, keep_models=True) if isinstance(e, Result)]
        assert result.models[0].noise == PoissonGaussian(gain=2.0, sigma=3.0, offset=100.0)
        story = result.provenance.as_dict()["physics"]["noise"]
        assert story == {"given": given, "used": given}
        plan = resolve(config(task="denoise"), cells())
        (result,) = [e for e in execute(plan, keep_models=True) if isinstance(e, Result)]
        assert result.models[0].noise is None
        assert "noise" not in result.provenance.physics


def test_what_was_chosen_automatically_names_the_result() -> None:
    options = {"iterations": 10, "device": "cpu"}
    plan = resolve(
        config(task="denoise", baseline="total-variation", baseline_options=options),
        Measurement(cells().data[:32, :32], name="cells"),
    )
    events = list(execute(plan))
    stages = [(e.name, e.part, e.parts) for e in events if isinstance(e, Stage)]
    assert ("Choosing the weight", 0, 2) in stages
    classic, learned = results(events)
    weight = classic.provenance.scores["weight (auto)"]
    assert classic.label == f"TV {weight:.3g} (auto)"
    assert classic.measurement.name == f"cells {classic.label}"
    assert learned.label == "FAKE 5"


class Chooser:
    """A method that chose a weight."""

    weight = 0.83456


def test_names_of_results() -> None:
    load = {key: METHODS[key].load_options() for key in METHODS}
    assert result_label("ssi", load["ssi"](), 600) == "SSI 600"
    lr = load["richardson-lucy"]
    assert result_label("richardson-lucy", lr(iterations=7), 7) == "LR 7"
    tv = load["total-variation"]
    assert result_label("total-variation", tv(weight=0.5), 90) == "TV 0.5"
    chosen = chosen_by(Chooser(), tv(), 90)
    assert chosen == {"weight": 0.83456}
    assert result_label("total-variation", tv(), 90, chosen) == "TV 0.835 (auto)"
    assert result_label("total-variation", tv(), 90, chosen, {"weight": 2.0}) == "TV (auto)"
    wiener = load["wiener"]
    assert result_label("wiener", wiener(), 3, chosen_by(object(), wiener(), 3)) == "Wiener (auto)"
    assert result_label("wiener", wiener(balance=0.01), 3) == "Wiener 0.01"


class Counting(Options):
    """A method that may stop by itself."""

    iterations: Annotated[int, Field(ge=1)] | Literal["auto"] = option(
        "auto", title="Iterations", description="How often."
    )
    precision: Literal["auto", "float32"] = option("auto", title="P", description="Not a number.")


def test_iterations_that_were_chosen_are_those_that_were_done() -> None:
    assert chosen_by(object(), Counting(), 12) == {"iterations": 12}
    assert result_label("richardson-lucy", Counting(), 12, {"iterations": 12}) == "LR 12 (auto)"
    assert result_label("richardson-lucy", Counting(iterations=9), 9) == "LR 9"
