"""Parallel and fan beam: exact pairs in every form, and errors in the user's words."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import FanBeam, ParallelBeam, Recipe, from_recipe
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.checks import adjoint_error, to_matrix
from napari_selfsup_recon.physics.filtered_back_projection import filtered_back_projection
from napari_selfsup_recon.physics.tomography import _engine

STORED = 2**29
ODD: dict[str, float] = {"detectors": 23, "pitch": 1.9, "axis_offset": -2.3}


def half_turn(views: int) -> NDArray[np.float64]:
    return np.arange(views) * np.pi / views


def fan(shape: tuple[int, int], angles: NDArray[np.float64], **kwargs: float) -> FanBeam:
    far = 2.0 * max(shape)
    return FanBeam(shape, angles, source_distance=far, detector_distance=far / 3, **kwargs)  # type: ignore[arg-type]


KINDS: list[Callable[..., Projector]] = [ParallelBeam, fan]


@settings(max_examples=20)
@given(
    kind=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    angles=st.lists(st.floats(-7, 7), min_size=1, max_size=5),
    detectors=st.integers(1, 30),
    pitch=st.floats(0.2, 9),
    offset=st.floats(-0.5, 0.5),
    memory=st.sampled_from([0, STORED]),
)
def test_adjoint_is_the_transpose(
    kind: Callable[..., Projector],
    shape: tuple[int, int],
    angles: list[float],
    detectors: int,
    pitch: float,
    offset: float,
    memory: int,
) -> None:
    beam = kind(
        shape,
        np.array(angles),
        detectors=detectors,
        pitch=pitch,
        axis_offset=offset * detectors,
        memory=memory,
    )
    matrix = to_matrix(beam)
    largest = float(matrix.abs().max()) + 1
    for dtype, same, near in ((torch.float64, 1e-13, 1e-13), (torch.float32, 1e-6, 1e-4)):
        single = to_matrix(beam, dtype=dtype).double()
        transpose = to_matrix(beam, dtype=dtype, adjoint=True).double().T
        assert (transpose - single).abs().max() < same * largest
        assert (single - matrix).abs().max() < near * largest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory", [0, STORED])
@pytest.mark.parametrize("shape", [(31, 31), (32, 32), (30, 41)])
def test_dot_products_agree(
    kind: Callable[..., Projector], shape: tuple[int, int], memory: int
) -> None:
    for kwargs in ({}, ODD):
        beam = kind(shape, half_turn(17) * 2 - 1, memory=memory, **kwargs)
        assert adjoint_error(beam, batch=2, channels=3) < 1e-12
        assert adjoint_error(beam, dtype=torch.float32) < 1e-5
        back = beam._back_projector
        assert adjoint_error(back, batch=1, channels=1) < 1e-12
        assert adjoint_error(back, dtype=torch.float32) < 1e-5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory", [0, STORED])
def test_dot_products_agree_on_the_gpu(kind: Callable[..., Projector], memory: int) -> None:
    beam = kind((30, 41), half_turn(17), memory=memory)
    assert adjoint_error(beam, device="cuda", batch=2, channels=3) < 1e-12
    assert adjoint_error(beam, device="cuda", dtype=torch.float32) < 1e-5
    x = torch.rand(2, 1, 30, 41)
    torch.testing.assert_close(beam.A(x.cuda()).cpu(), beam.A(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory", [0, STORED])
def test_derivatives_of_any_order(kind: Callable[..., Projector], memory: int) -> None:
    beam = kind((4, 5), half_turn(3), detectors=6, memory=memory)
    x = torch.rand(2, 1, 4, 5, dtype=torch.float64).requires_grad_()
    y = torch.rand(2, 1, *beam.measurement_shape, dtype=torch.float64).requires_grad_()
    for function, value in ((beam.A, x), (beam.A_adjoint, y), (beam.A_dagger, y)):
        assert torch.autograd.gradcheck(function, (value,))
        assert torch.autograd.gradgradcheck(lambda v, f=function: f(v).square(), (value,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kwargs", [{}, ODD])
def test_all_forms_agree(
    kind: Callable[..., Projector], kwargs: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, angles = (21, 26), half_turn(11) * 2
    generator = torch.Generator().manual_seed(0)
    # 11 images: some are treated together, some alone.
    x = torch.randn(11, 1, *shape, dtype=torch.float64, generator=generator)
    beam = kind(shape, angles, **kwargs)
    y = torch.randn(11, 1, *beam.measurement_shape, dtype=torch.float64, generator=generator)
    results = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(_engine, "_compiled", lambda: None)
        for memory in (0, STORED):
            beam = kind(shape, angles, memory=memory, **kwargs)
            results.append((beam.A(x), beam.A_adjoint(y), beam.A_dagger(y)))
    for result in results[1:]:
        for value, expected in zip(result, results[0], strict=True):
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-11)


def test_batches_are_their_images() -> None:
    for memory in (0, STORED):
        beam = ParallelBeam((19, 17), half_turn(7), memory=memory)
        x = torch.rand(3, 5, 19, 17)
        y = beam.A(x)
        single = torch.stack([beam.A(image[:, None])[:, 0] for image in x])
        torch.testing.assert_close(y, single)
        assert y.shape == (3, 5, *beam.measurement_shape)
        assert y.is_contiguous()
        assert beam.A(x[:0]).shape == (0, 5, *beam.measurement_shape)


def test_dtype_follows_the_input() -> None:
    beam = ParallelBeam((9, 9), half_turn(4))
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = torch.ones(1, 1, 9, 9, dtype=dtype)
        assert beam.A(x).dtype == beam.A_dagger(beam.A(x)).dtype == dtype


def test_mixed_precision_does_not_reach_in() -> None:
    beam = ParallelBeam((9, 9), half_turn(4))
    x = torch.rand(2, 1, 9, 9)
    expected = beam.A(x), beam.A_dagger(beam.A(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(beam.A(x), expected[0])
        assert torch.equal(beam.A_dagger(expected[0]), expected[1])


def test_inputs_are_left_alone_and_threads_agree() -> None:
    beam = ParallelBeam((64, 64), half_turn(30), memory=0)
    x = torch.rand(1, 1, 64, 64)
    kept, expected = x.clone(), beam.A(x)
    found: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(beam.A(x))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(y, expected) for y in found)
    assert torch.equal(x, kept)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from Linux")
def test_memory_beyond_the_budget_stays_small() -> None:
    def peak() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    beam = ParallelBeam((512, 512), half_turn(180), memory=0)
    x = torch.rand(1, 1, 512, 512)
    warm = ParallelBeam((8, 8), half_turn(4), memory=0)
    warm.A_adjoint(warm.A(x[..., :8, :8]))
    for function in (beam.A, beam.A_adjoint):
        value = x if function == beam.A else torch.rand(1, 1, *beam.measurement_shape)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pytest.skip("the peak of memory cannot be set back here")
        before = peak()
        function(value)
        assert peak() - before < 64e6


@pytest.mark.parametrize("kind", KINDS)
def test_recipes_rebuild_the_operator(kind: Callable[..., Projector]) -> None:
    beam = kind((9, 8), half_turn(5), pitch=1.3, axis_offset=0.7)
    recipe = beam.recipe()
    saved = Recipe(recipe.kind, json.loads(json.dumps(dict(recipe.params))), dict(recipe.arrays))
    again = from_recipe(saved)
    assert type(again) is type(beam)
    x = torch.rand(1, 1, 9, 8)
    assert torch.equal(again.A(x), beam.A(x))
    assert torch.equal(again.A_dagger(beam.A(x)), beam.A_dagger(beam.A(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_copies_leave_what_is_stored_behind(kind: Callable[..., Projector]) -> None:
    beam = kind((9, 8), half_turn(5), pitch=1.3)
    x = torch.rand(1, 1, 9, 8)
    for again in (copy.deepcopy(beam), pickle.loads(pickle.dumps(beam))):
        assert not again._engine._pairs
        assert torch.equal(again.A(x), beam.A(x))


def test_only_the_whole_can_be_restricted_to() -> None:
    beam = ParallelBeam((9, 8), half_turn(5))
    assert beam.restrict((slice(None), slice(0, beam.detectors))) is beam
    for region in ((slice(0, 3), slice(None)), (slice(None),)):
        with pytest.raises(InputError, match="each view sees all of a slice"):
            beam.restrict(region)


def test_bad_geometry() -> None:
    with pytest.raises(InputError, match=r"reach 179.*look like degrees.*deg2rad"):
        ParallelBeam((8, 8), np.arange(180.0))
    with pytest.raises(InputError, match="one angle a view"):
        ParallelBeam((8, 8), [])
    with pytest.raises(InputError, match="NaN or infinite"):
        ParallelBeam((8, 8), [0.0, np.nan])
    with pytest.raises(InputError, match="stack of them goes into the batch"):
        ParallelBeam((3, 8, 8), [0.0])
    for pitch in (0.0, -1.0, np.inf):
        with pytest.raises(InputError, match="pitch is"):
            ParallelBeam((8, 8), [0.0], pitch=pitch)
    with pytest.raises(InputError, match="12 columns off the middle of a detector of 20"):
        ParallelBeam((8, 8), [0.0], detectors=20, axis_offset=12)
    with pytest.raises(InputError, match="There are 0 detectors"):
        ParallelBeam((8, 8), [0.0], detectors=0)
    with pytest.raises(InputError, match="within the slice"):
        FanBeam((8, 8), [0.0], source_distance=5, detector_distance=5)
    with pytest.raises(InputError, match="behind the axis"):
        FanBeam((8, 8), [0.0], source_distance=50, detector_distance=-5)


def test_bad_sinograms() -> None:
    beam = ParallelBeam((8, 8), half_turn(7), detectors=12)
    with pytest.raises(InputError, match=r"on its side.*transpose"):
        beam.A_adjoint(torch.zeros(1, 1, 12, 7))
    with pytest.raises(InputError, match="6 views, but there are 7 angles"):
        beam.A_dagger(torch.zeros(1, 1, 6, 12))
    with pytest.raises(InputError, match="13 detectors wide, the projector 12"):
        beam.A_dagger(torch.zeros(1, 1, 7, 13))
    with pytest.raises(InputError, match="a measurement of shape"):
        beam.A_dagger(torch.zeros(7, 12))
    with pytest.raises(InputError, match="an image of shape"):
        beam.A(torch.zeros(1, 1, 9, 8))
    with pytest.raises(InputError, match="no filter 'none'"):
        filtered_back_projection(beam, torch.zeros(1, 1, 7, 12), "none")  # type: ignore[arg-type]
