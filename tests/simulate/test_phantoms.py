"""Bodies of ellipsoids: their slices and their projections belong together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.ct import find_axis
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.simulate.phantoms import ellipsoid_scan


def test_the_projections_are_those_of_the_truth() -> None:
    scan = ellipsoid_scan(30, size=64, slices=3, axis_offset=2.3)
    physics = ParallelBeam((64, 64), np.deg2rad(scan.degrees), detectors=64, axis_offset=2.3)
    projected = physics.A(torch.from_numpy(scan.truth)[:, None])[:, 0].numpy()
    error = np.linalg.norm(projected - scan.sinograms) / np.linalg.norm(scan.sinograms)
    assert error < 0.02
    assert scan.axis == pytest.approx(31.5 + 2.3)
    assert find_axis(scan.sinograms, scan.degrees).column == pytest.approx(scan.axis, abs=0.4)


def test_it_is_the_same_again_and_another_with_another_seed() -> None:
    first, again, other = (ellipsoid_scan(5, size=32, slices=1, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.sinograms, again.sinograms)
    assert np.abs(first.truth - other.truth).max() > 0.005
    assert first.truth.min() >= 0
    with pytest.raises(InputError):
        ellipsoid_scan(0)
