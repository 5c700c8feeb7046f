"""The parallel beam: exact pairs, the right geometry, and errors in the user's words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_selfsup_recon.physics.checks import adjoint_error, to_matrix
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

STORED = 2**29


def half_turn(views: int) -> np.ndarray:
    return np.arange(views) * np.pi / views


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    angles=st.lists(st.floats(-7, 7), min_size=1, max_size=6),
    detectors=st.integers(1, 40),
    pitch=st.floats(0.2, 4),
    offset=st.floats(-0.5, 0.5),
    memory=st.sampled_from([0, STORED]),
)
def test_adjoint_is_the_transpose(
    shape: tuple[int, int],
    angles: list[float],
    detectors: int,
    pitch: float,
    offset: float,
    memory: int,
) -> None:
    beam = ParallelBeam(
        shape,
        angles,
        detectors=detectors,
        pitch=pitch,
        axis_offset=offset * detectors,
        memory=memory,
    )
    matrix = to_matrix(beam)
    largest = float(matrix.abs().max()) + 1
    for dtype, tolerance in ((torch.float64, 1e-13), (torch.float32, 1e-6)):
        transpose = to_matrix(beam, dtype=dtype, adjoint=True).double()
        assert (transpose.T - matrix).abs().max() < tolerance * largest


@pytest.mark.parametrize("memory", [0, STORED])
@pytest.mark.parametrize("shape", [(31, 31), (32, 32), (30, 41), (41, 30)])
def test_dot_products_agree(shape: tuple[int, int], memory: int) -> None:
    for kwargs in ({}, {"detectors": 23, "pitch": 1.9, "axis_offset": -2.3}):
        beam = ParallelBeam(shape, half_turn(17) - 1, memory=memory, **kwargs)
        assert adjoint_error(beam, batch=2, channels=3) < 1e-12
        assert adjoint_error(beam, dtype=torch.float32) < 1e-5


@pytest.mark.parametrize("memory", [0, STORED])
def test_derivatives_of_any_order(memory: int) -> None:
    beam = ParallelBeam((5, 6), half_turn(4), memory=memory)
    x = torch.rand(2, 1, 5, 6, dtype=torch.float64).requires_grad_()
    y = torch.rand(2, 1, *beam.measurement_shape, dtype=torch.float64).requires_grad_()
    for function, value in ((beam.A, x), (beam.A_adjoint, y), (beam.A_dagger, y)):
        assert torch.autograd.gradcheck(function, (value,))
        assert torch.autograd.gradgradcheck(lambda v, f=function: f(v).square(), (value,))
