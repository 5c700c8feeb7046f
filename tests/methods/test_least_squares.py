"""Least squares reaches the minimum, stays positive, and stops in time without the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from napari_selfsup_recon import (
    MRI,
    Blur,
    CompressedSensing,
    FanBeam,
    Identity,
    Inpainting,
    LeastSquares,
    LeastSquaresOptions,
    Physics,
    PoissonGaussian,
    Transmission,
    as_channels,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.methods import METHODS
from napari_selfsup_recon.methods.least_squares._iteration import _never_negative
from napari_selfsup_recon.metrics import psnr
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

Array = NDArray[Any]


def discs(n: int, seed: int = 0) -> Array:
    """Discs of different brightness in the middle of a dark square."""
    rng = numpy_generator("discs", seed)
    y, x = np.ogrid[:n, :n]
    image = np.zeros((n, n))
    for _ in range(8):
        cy, cx = rng.uniform(0.3 * n, 0.7 * n, 2)
        image[(y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(0.05, 0.2) ** 2 * n**2] += rng.random()
    return image


def beam(n: int = 48, views: int = 24) -> ParallelBeam:
    return ParallelBeam((n, n), np.arange(views) * np.pi / views)


def measured(physics: Physics, truth: Array, sigma: float, seed: int = 0) -> Array:
    clean = physics.A(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    noise = sigma * numpy_generator("noise", seed).standard_normal(clean.shape)
    return (clean + noise).astype(np.float32)


def overdetermined(signs: bool) -> tuple[CompressedSensing, Array]:
    rng = numpy_generator("matrix")
    matrix = rng.standard_normal((40, 12)) if signs else rng.random((40, 12))
    return CompressedSensing(matrix, shape=(3, 4)), matrix


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("solver", ["cgls", "sirt"])
@pytest.mark.parametrize("positive", [False, True])
def test_reaches_the_minimum(signs: bool, solver: Any, positive: bool) -> None:
    physics, matrix = overdetermined(signs)
    y = numpy_generator("y").standard_normal(40).astype(np.float32)
    options = LeastSquaresOptions(solver=solver, positive=positive, iterations=10_000)
    x = LeastSquares(physics, options).reconstruct(y)
    rows = np.ones(40)
    if solver == "sirt" and not signs:  # which weighs each row by its sum
        rows = matrix.sum(1) ** -0.5
    a, b = matrix * rows[:, None], y * rows
    wanted = nnls(a, b)[0] if positive else np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(x.ravel(), wanted, atol=2e-3)
    assert x.shape == (3, 4)


def test_what_is_not_seen_stays_dark() -> None:
    truth = discs(32) + 0.5
    mask = numpy_generator("mask").random((32, 32)) < 0.4
    y = (truth * mask).astype(np.float32)
    method = LeastSquares(Inpainting(mask))
    events = list(method.run(y))
    np.testing.assert_allclose(events[-1].result, y, atol=1e-5)
    assert events[-1].reason == "converged"
    assert method.iterations is not None and method.iterations < 10
    assert any(isinstance(e, Notice) and "cannot be predicted" in e.message for e in events)


def test_k_space_and_stacks_of_it() -> None:
    mask = numpy_generator("columns").random((16, 18)) < 0.5
    physics = MRI(mask)
    values = numpy_generator("k").standard_normal((3, 16, 18)) * (1 + 1j)
    y = as_channels(values * mask).astype(np.float32)
    x = LeastSquares(physics).reconstruct(y)
    assert x.shape == (3, 2, 16, 18)
    wanted = physics.A_dagger(torch.from_numpy(y))
    np.testing.assert_allclose(x, wanted.numpy(), atol=1e-4)
    maps = numpy_generator("maps").standard_normal((4, 16, 18)) * (1 - 0.5j)
    coils = MRI(np.ones((16, 18)), maps=maps)
    truth = torch.from_numpy(as_channels(values[:1])).float()
    x = LeastSquares(coils, LeastSquaresOptions(iterations=400)).reconstruct(coils.A(truth))
    torch.testing.assert_close(x, truth, atol=1e-2, rtol=1e-2)


def test_every_image_with_its_own_mask() -> None:
    masks = numpy_generator("masks").random((3, 1, 9, 8)) < 0.5
    y = numpy_generator("y").random((3, 9, 8)).astype(np.float32) * masks[:, 0]
    x = LeastSquares(Inpainting(masks)).reconstruct(y)
    np.testing.assert_allclose(x, y, atol=1e-5)
    with pytest.raises(InputError, match="operators for 3 images, but 2 measurements"):
        LeastSquares(Inpainting(masks)).reconstruct(y[:2])


@pytest.mark.parametrize("solver", ["cgls", "sirt"])
@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0])
def test_stops_in_time(solver: Any, sigma: float) -> None:
    physics, truth = beam(), discs(48)
    y = measured(physics, truth, sigma)
    auto = LeastSquares(physics, LeastSquaresOptions(solver=solver, max_iterations=150))
    reached = psnr(truth, auto.reconstruct(y))
    assert auto.iterations is not None
    others = [
        psnr(
            truth,
            LeastSquares(physics, auto.options.model_copy(update={"iterations": k})).reconstruct(y),
        )
        for k in (3, 10, 30, 60, 150)
    ]
    assert reached > max(others) - 0.5
    if sigma:
        assert reached > others[-1 if solver == "cgls" else 0] + 0.5
    assert reached > psnr(truth, physics.A_dagger(torch.from_numpy(y)[None, None])[0, 0].numpy())


def test_the_choice_sees_no_truth_and_is_the_same_each_time() -> None:
    physics, truth = beam(32, 12), discs(32)
    y = measured(physics, truth, 0.3)
    one, two = LeastSquares(physics), LeastSquares(physics)
    assert np.array_equal(one.reconstruct(y), two.reconstruct(y))
    assert one.scores == two.scores
    assert one.iterations is not None
    assert 1 <= one.iterations <= min(one.scores, key=lambda k: one.scores[k])
    fixed = LeastSquares(physics, LeastSquaresOptions(iterations=one.iterations or 1))
    assert np.array_equal(fixed.reconstruct(y), one.reconstruct(y))
    scaled = LeastSquares(physics)
    np.testing.assert_allclose(scaled.reconstruct(1000 * y) / 1000, one.reconstruct(y), atol=1e-3)


def test_events_end_with_the_image() -> None:
    physics, truth = beam(32, 12), discs(32)
    y = measured(physics, truth, 0.3)
    kept = y.copy()
    method = LeastSquares(physics)
    events = list(method.run(y))
    stages = [e.name for e in events if isinstance(e, Stage)]
    assert stages == ["Choosing the iterations", "Least squares"]
    done = events[-1]
    assert isinstance(done, Done)
    assert done.result.dtype == np.float32
    assert done.result.shape == (32, 32)
    assert done.step == method.iterations
    assert np.array_equal(done.result, method.reconstruct(y))
    misfits = [e.details["misfit"] for e in events if isinstance(e, Step) and "misfit" in e.details]
    assert len(misfits) == done.step
    assert misfits[-1] < misfits[0]
    assert next(e for e in events if isinstance(e, Preview)).image.shape == (32, 32)
    assert np.array_equal(y, kept)


def test_tensors_stacks_and_blurs() -> None:
    physics, truth = beam(24, 10), discs(24)
    y = measured(physics, truth, 0.1)
    method = LeastSquares(physics, LeastSquaresOptions(iterations=20))
    one = method.reconstruct(y)
    stack = method.reconstruct(np.stack([y, 2 * y]).astype(np.float64))
    assert stack.shape == (2, 24, 24)
    np.testing.assert_allclose(stack[0], one, atol=1e-6)
    assert np.array_equal(method.reconstruct(torch.from_numpy(y)).numpy(), one)
    out = np.zeros((2, 24, 24), np.float32)
    assert method.reconstruct(np.stack([y, y]), out=out) is out
    assert np.array_equal(out[1], one)
    blur = Blur(np.ones((3, 3)) / 9, (20, 22))
    assert LeastSquares(blur).reconstruct(np.ones((20, 22))).shape == (20, 22)
    dark = LeastSquares(Identity((5, 5))).reconstruct(np.zeros((5, 5)))
    assert not dark.any()


@pytest.mark.parametrize("solver", ["cgls", "sirt"])
def test_fan_beams_and_counts(solver: Any) -> None:
    truth = discs(32)
    angles = np.arange(24) * 2 * np.pi / 24
    fan = FanBeam((32, 32), angles, source_distance=90, detector_distance=90)
    options = LeastSquaresOptions(solver=solver, iterations=60)
    y = measured(fan, truth, 0.0)
    assert psnr(truth, LeastSquares(fan, options).reconstruct(y)) > 24
    physics = Transmission(fan, I0=1e5, attenuation=0.05)
    counts = physics.A(torch.from_numpy(truth)[None, None])[0, 0].float().numpy()
    counts[:, 20] = 0  # a dead column
    noise = PoissonGaussian(1.0, 3.0)
    assert psnr(truth, LeastSquares(physics, options, noise=noise).reconstruct(counts)) > 22


def test_negative_entries_are_noticed() -> None:
    for seed in range(20):
        matrix = numpy_generator("matrix", seed).standard_normal((6, 12))
        y = torch.ones(1, 1, 6)
        assert not _never_negative(CompressedSensing(matrix), y)
        assert _never_negative(CompressedSensing(np.abs(matrix)), y)
    assert _never_negative(beam(24, 5), torch.ones(1, 1, 5, 34))
    assert not _never_negative(MRI(np.ones((6, 6))), torch.ones(1, 2, 6, 6))


def test_bad_input_is_refused_with_the_way_out() -> None:
    physics = beam(24, 10)
    y = measured(physics, discs(24), 0.0)
    with pytest.raises(InputError, match="lies on its side"):
        LeastSquares(physics).reconstruct(y.T)
    with pytest.raises(InputError, match="NaN"):
        LeastSquares(physics).reconstruct(y * np.nan)
    with pytest.raises(InputError, match="One measurement"):
        list(LeastSquares(physics).run(np.stack([y, y])))
    with pytest.raises(InputError, match="2 channels before them"):
        LeastSquares(MRI(np.ones((6, 6)))).reconstruct(np.ones((6, 6)))
    for complex_valued in (np.ones((6, 6)) + 0j, torch.ones(6, 6) + 0j):
        with pytest.raises(InputError, match=r"is complex.*as_channels"):
            LeastSquares(MRI(np.ones((6, 6)))).reconstruct(complex_valued)
        with pytest.raises(InputError, match=r"is complex.*as_channels"):
            list(LeastSquares(MRI(np.ones((6, 6)))).run(complex_valued))
    for wrong in ("fast", 0, -1):
        with pytest.raises(ValueError, match="iterations"):
            LeastSquaresOptions(iterations=wrong)


def test_it_is_registered() -> None:
    entry = METHODS.find("least-squares")
    assert entry.load_method() is LeastSquares
    assert entry.load_options() is LeastSquaresOptions
    assert entry.tasks == ("reconstruct",) and not entry.learned
    for iterations in ("auto", 12):
        options = LeastSquaresOptions(iterations=iterations)
        assert LeastSquaresOptions.model_validate_json(options.model_dump_json()) == options
