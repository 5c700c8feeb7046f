"""The slice that follows the rotation axis."""

from __future__ import annotations

import numpy as np
import pytest

import recon_fakes
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs import RunConfig
from napari_selfsup_recon.runs.problem import Problem, pose
from napari_selfsup_recon.runs.quick_slice import QuickSlice


def posed(columns: int = 48, axis: float = 22.6) -> Problem:
    sinogram, _ = recon_fakes.sinogram(columns=columns, axis=axis)
    physics = {"instrument": "parallel-beam", "scan": {"axis": axis}}
    config = RunConfig.model_validate({"task": "reconstruct", "physics": physics})
    return pose(config, Measurement(sinogram))


def test_the_slice_is_sharpest_at_the_axis() -> None:
    quick = QuickSlice(posed())
    shift = {axis: quick.at(axis) for axis in (19.6, 22.6, 25.6)}
    # Wrong axes smear the discs into rings: the right one leaves the least outside of them.
    negative = {axis: float(np.minimum(image, 0).std()) for axis, image in shift.items()}
    assert min(negative, key=lambda axis: negative[axis]) == 22.6
    assert shift[22.6][24, 14:18].mean() == pytest.approx(0.02, rel=0.15)


def test_wide_detectors_are_binned_and_keep_their_values() -> None:
    quick = QuickSlice(posed(columns=900, axis=450.0))
    assert (quick.factor, quick.size) == (3, 300)
    image = quick.at(450.0)
    assert image.shape == (300, 300)
    assert image[148:152, 146:150].mean() == pytest.approx(0.02, rel=0.25)
