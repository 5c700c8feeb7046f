"""A run of SIAM: how far the twins are apart lies beside the result."""

from __future__ import annotations

import numpy as np
import pytest

import recon_fakes
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs import Result, RunConfig, RunPlan, resolve
from napari_selfsup_recon.runs.execute import execute


def plan(slices: int) -> RunPlan:
    stack, degrees = recon_fakes.sinogram(columns=24, axis=11.0, views=12, slices=slices)
    config = RunConfig.model_validate(
        {
            "task": "reconstruct",
            "method": "siam",
            "baseline": None,
            "trust": True,
            "physics": {"instrument": "parallel-beam"},
            "options": {"steps": 1, "width": 2, "iterations": 1, "start": "inverse"},
        }
    )
    return resolve(config, Measurement(np.asarray(stack), name="scan"), given={"angles": degrees})


def test_the_twins_say_what_to_trust() -> None:
    (result,) = [event for event in execute(plan(2)) if isinstance(event, Result)]
    apart = result.companions["disagreement"]
    assert apart.shape == result.measurement.shape
    assert apart.scale == result.measurement.scale
    assert float(np.min(apart.data)) >= 0
    assert float(np.max(apart.data)) > 0
    assert {"residual", "seen", "inferred", "spread"} < set(result.companions)


def test_one_slice_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="one measurement") as failure:
        list(execute(plan(1)))
    assert "EI or REI" in failure.value.hint
