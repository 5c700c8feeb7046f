"""Runs whose networks see neighbouring slices: plans, results, masks of each slice, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recon_fakes
from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Preview
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.io.kspace import complex_measurement
from napari_selfsup_recon.io.models import load
from napari_selfsup_recon.methods.ei.options import EIOptions
from napari_selfsup_recon.runs import Result, RunConfig, RunPlan, resolve
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.memory import memory_needed

QUICK: dict[str, Any] = {"steps": 1, "width": 2, "iterations": 1, "start": "inverse"}
RNG = np.random.default_rng(0)


def config(instrument: str = "parallel-beam", **more: Any) -> RunConfig:
    return RunConfig.model_validate(
        {
            "task": "reconstruct",
            "method": "ei",
            "baseline": None,
            "physics": {"instrument": instrument},
            "options": {**QUICK, "neighbours": "both"},
            **more,
        }
    )


def scan(slices: int) -> tuple[Measurement, dict[str, Any]]:
    stack, degrees = recon_fakes.sinogram(columns=24, axis=11.0, views=12, slices=slices)
    return Measurement(np.asarray(stack), name="scan"), {"angles": degrees}


def results(plan: RunPlan) -> tuple[Result, list[Preview]]:
    events = list(execute(plan, keep_models=True))
    (result,) = (event for event in events if isinstance(event, Result))
    return result, [event for event in events if isinstance(event, Preview)]


def test_a_scan_is_made_slice_by_slice_with_its_neighbours() -> None:
    measurement, given = scan(4)
    plan = resolve(config(trust=True, preview_every=1e-9), measurement, given=given)
    result, previews = results(plan)
    (model,) = result.models
    assert plan.problem is not None
    assert model.slab == 3
    np.testing.assert_array_equal(result.measurement.data, model.reconstruct(plan.problem.y))
    assert {"residual", "seen", "inferred", "spread"} <= set(result.companions)
    assert previews[-1].image.shape == result.measurement.shape[1:]
    facts = json.loads(json.dumps(result.provenance.as_dict()))
    assert facts["options"]["neighbours"] == "both"


def test_each_slice_has_its_mask() -> None:
    masks = RNG.random((5, 16, 16)) < 0.6
    image = Measurement(RNG.random((5, 16, 16)) * masks, name="holes")
    plan = resolve(config("inpainting"), image, given={"mask": masks})
    result, _ = results(plan)
    (model,) = result.models
    assert model.physics.items == 5
    assert plan.problem is not None
    np.testing.assert_array_equal(result.measurement.data, model.reconstruct(plan.problem.y))


def test_the_plan_is_refused_before_any_work() -> None:
    measurement, given = scan(1)
    with pytest.raises(InputError, match="A single slice") as failure:
        resolve(config(), measurement, given=given)
    assert "neighbours to none" in failure.value.hint
    kspace = np.ones((4, 16, 16), complex)
    kspace[:, :, ::3] = 0
    with pytest.raises(InputError, match="complex"):
        resolve(config("mri"), complex_measurement(kspace, name="k-space"), given={})
    resolve(config(options=QUICK), measurement, given=given)


def test_the_neighbours_take_memory() -> None:
    image = Measurement(np.zeros((8, 100, 100), np.float32), name="stack")
    plain, both = (
        memory_needed(EIOptions(neighbours=choice), image, None)  # type: ignore[arg-type]
        for choice in ("none", "both")
    )
    assert both - plain == 2 * EIOptions().batch * 12 * 4 * 100**2


def test_the_command_line_and_its_model(tmp_path: Path) -> None:
    masks = RNG.random((4, 16, 16)) < 0.6
    image, mask = tmp_path / "image.npy", tmp_path / "mask.npy"
    np.save(image, (RNG.random((4, 16, 16)) * masks).astype(np.float32))
    np.save(mask, masks[0])
    out, model = tmp_path / "out.npy", tmp_path / "stack.nsr"
    code = main(
        [
            "reconstruct", str(image), "--instrument", "inpainting", "--mask", str(mask),
            "--method", "ei", "--neighbours", "both", "--steps", "1", "--width", "2",
            "--iterations", "1", "--start", "inverse", "--save-model", str(model), "-o", str(out),
            "--quiet",
        ]
    )  # fmt: skip
    assert code == 0
    story = volumes.read_provenance(out)
    assert story is not None
    assert story["options"]["neighbours"] == "both"
    same = load(model)
    assert same.slab == 3
    np.testing.assert_array_equal(same.reconstruct(np.load(image)), volumes.read(out).data)
