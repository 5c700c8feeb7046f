"""Total variation reaches the minimum, knows the noise, and finds its weight without the truth."""

from __future__ import annotations

from collections.abc import Generator
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from napari_selfsup_recon import (
    Blur,
    Gaussian,
    Identity,
    Physics,
    PoissonGaussian,
    TotalVariation,
    TotalVariationOptions,
    as_physics,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.methods import METHODS
from napari_selfsup_recon.methods.total_variation import _choice
from napari_selfsup_recon.methods.total_variation import method as method_module
from napari_selfsup_recon.methods.total_variation._choice import best_weight, busiest
from napari_selfsup_recon.methods.total_variation._data import Data
from napari_selfsup_recon.methods.total_variation._measured import Measured
from napari_selfsup_recon.methods.total_variation._solver import Solver
from napari_selfsup_recon.methods.total_variation._splitting import Splitting
from napari_selfsup_recon.metrics import psnr
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate
from napari_selfsup_recon.physics.norm import operator_norm

Array = NDArray[Any]


def gaussian(shape: tuple[int, ...], width: float = 1.2) -> Array:
    axes = np.ix_(*(np.arange(n) - (n - 1) / 2 for n in shape))
    psf = np.exp(-sum((a / width) ** 2 for a in axes) / 2)
    return psf / psf.sum()


def blocks(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Flat pieces between 0 and 100 on a dark ground."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(shape)
    for _ in range(10):
        corner = [rng.integers(0, max(1, n * 3 // 4)) for n in shape]
        size = [max(1, int(n * rng.uniform(0.1, 0.4))) for n in shape]
        truth[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = rng.uniform(
            20, 100
        )
    return truth


def scene(physics: Physics, sigma: float, seed: int = 0) -> tuple[Array, Array]:
    """Flat pieces (in the field of view) and their noisy measurement, float32."""
    truth = torch.from_numpy(blocks(physics.image_shape, seed))[None, None]
    clean = physics.A(truth)[0, 0].numpy()
    noise = sigma * np.random.default_rng(seed + 1).standard_normal(clean.shape)
    return physics.field_of_view(truth)[0, 0].numpy(), (clean + noise).astype(np.float32)


class Dense:
    """Any matrix as physics."""

    def __init__(self, matrix: Tensor, image: tuple[int, ...], measurement: tuple[int, ...]):
        self.matrix, self.image, self.measurement = matrix, image, measurement

    def A(self, x: Tensor) -> Tensor:
        return (self.matrix.to(x) @ x.reshape(-1)).reshape(1, 1, *self.measurement)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return (self.matrix.T.to(y) @ y.reshape(-1)).reshape(1, 1, *self.image)

    A_dagger = A_adjoint


def plain(physics: Physics) -> Physics:
    """The same physics, unrecognisable."""
    return as_physics(Foreign(physics), physics.image_shape, physics.measurement_shape)


class Foreign:
    def __init__(self, inner: Physics) -> None:
        self.A, self.A_adjoint, self.A_dagger = inner.A, inner.A_adjoint, inner.A_dagger


def known(y: Array, sigma: float, **clipped: float) -> Measured:
    tensor = torch.from_numpy(np.asarray(y, dtype=np.float64))
    noise = NoiseEstimate(gain=0.0, offset=0.0, sigma=sigma, **clipped)
    return Measured(tensor, tensor, torch.zeros(tensor.shape, dtype=torch.bool), noise)


def solved(
    kind: type[Solver] | type[Splitting],
    physics: Any,
    measured: Measured,
    weight: float,
    *,
    limits: tuple[float | None, float | None] = (0.0, None),
    robust: bool = True,
    iterations: int = 1000,
) -> tuple[Any, Data, float]:
    data = Data(measured, background=0.0, robust=robust)
    norm = operator_norm(physics, data.y)
    scales = [1.0] * len(physics.image_shape)
    work = kind(physics, data, norm=norm, weight=weight, limits=limits, scales=scales)
    for k in range(iterations):
        for _ in work.step(watch=k == iterations - 1):
            pass
    return work, data, norm


def variation(x: Tensor, wrap: bool = False, smooth: float = 0.0) -> Tensor:
    squares = torch.full_like(x, smooth**2)
    for axis in range(x.ndim):
        difference = x.roll(-1, axis) - x
        if not wrap:
            last = [slice(None)] * x.ndim
            last[axis] = slice(-1, None)
            difference = difference.index_fill(axis, torch.tensor([x.shape[axis] - 1]), 0.0)
        squares = squares + difference.square()
    return squares.sqrt().sum()


def objective(
    x: Tensor, physics: Physics, data: Data, weight: float, *, wrap: bool, smooth: float = 0.0
) -> Tensor:
    residual = (physics.A(x[None, None])[0, 0] - data.y) * data.inverse
    size = residual.abs()
    inside = size.clamp_max(1.5) if data.robust else size
    return (inside * (size - 0.5 * inside)).sum() + weight * variation(x, wrap, smooth)


def by_descent(start: Tensor, physics: Physics, data: Data, weight: float, *, wrap: bool) -> float:
    """The least objective that a method which knows nothing of ours reaches, and better smoothing
    each time."""
    x = start.clone().numpy().ravel()
    for smooth in (1e-1, 1e-3):

        def value(x: Array, smooth: float = smooth) -> tuple[float, Array]:
            point = torch.from_numpy(x.copy()).reshape(start.shape).requires_grad_()
            energy = objective(point, physics, data, weight, wrap=wrap, smooth=smooth)
            (slope,) = torch.autograd.grad(energy, point)
            return float(energy.detach()), slope.numpy().ravel()

        x = minimize(
            value, x, jac=True, method="L-BFGS-B", bounds=[(0, None)] * x.size,
            options={"maxiter": 400, "maxfun": 600, "ftol": 1e-13, "gtol": 1e-8},
        ).x  # fmt: skip
    best = torch.from_numpy(x).reshape(start.shape)
    return float(objective(best, physics, data, weight, wrap=wrap))


@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("case", ["dense", "extended", "circular"])
def test_reaches_the_minimum(case: str, robust: bool) -> None:
    if case == "dense":
        matrix = torch.rand(30, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        dense = Dense(matrix / 8, (6, 8), (5, 6))
        physics = as_physics(dense, (6, 8), (5, 6))
    else:
        physics = Blur(gaussian((3, 3)), (7, 6), boundary=case)
    _, y = scene(physics, 6.0)
    y[2, 3] += 60
    wrap = case == "circular"
    kind = Splitting if wrap else Solver
    # In units of the noise; the weight that the solver gets is a multiple of the norm.
    work, data, norm = solved(kind, physics, known(y, 6.0), 0.3, robust=robust)
    x = work.estimate
    assert float(x.min()) >= 0
    reached = float(objective(x, physics, data, 0.3 * norm, wrap=wrap))
    start = torch.full(physics.image_shape, float(data.y.mean()), dtype=torch.float64)
    other = by_descent(start, physics, data, 0.3 * norm, wrap=wrap)
    assert reached <= other * (1 + 1e-4)
    again = by_descent(x, physics, data, 0.3 * norm, wrap=wrap)
    assert again >= reached * (1 - 1e-4)


def test_values_that_were_cut_off_reach_the_same_minimum() -> None:
    physics = Identity((7, 8))
    _, y = scene(physics, 10.0)
    y = y.clip(0, 80)
    measured = known(y, 10.0, clipped_low=0.0, clipped_high=80.0)
    work, data, norm = solved(Solver, physics, measured, 0.2, limits=(None, None))
    x = work.estimate.requires_grad_()
    mu = x
    low, high = data.y <= 0, data.y >= 8
    size = (mu - data.y).abs()
    loss = size.clamp_max(1.5) * (size - 0.5 * size.clamp_max(1.5))
    # Their derivative is that of the normal tail, and never above that of other outliers.
    for cut, t in ((low, 0 - mu), (high, mu - 8)):
        most = -torch.special.log_ndtr(t)
        knee = -0.9271  # where the derivative is 1.5
        beyond = -torch.special.log_ndtr(torch.tensor(knee)) + 1.5 * (knee - t)
        loss = torch.where(cut, torch.where(t < knee, beyond, most), loss)
    rng = np.random.default_rng(0)
    energy = float((loss.sum() + 0.2 * norm * variation(x)).detach())
    (slope,) = torch.autograd.grad(loss.sum(), x)
    # Subgradients: in no direction does the objective fall.
    for _ in range(100):
        step = torch.from_numpy(rng.standard_normal(x.shape) * rng.choice([1e-3, 1e-2, 0.1]))
        other = variation(x.detach() + step) - variation(x.detach())
        assert float((slope * step).sum() + 0.2 * norm * other) >= -1e-5 * energy


@pytest.mark.parametrize("shape", [(40, 36), (16, 18, 20)])
def test_both_solvers_agree_away_from_the_border(shape: tuple[int, ...]) -> None:
    side = (5,) * len(shape)
    physics = Blur(gaussian(side), shape)
    _, y = scene(physics, 3.0)
    images = []
    for kind in (Solver, Splitting):
        work, _, _ = solved(kind, physics, known(y, 3.0), 0.2, iterations=400)
        images.append(physics.field_of_view(work.estimate[None, None])[0, 0])
    inner = tuple(slice(n // 4, -n // 4) for n in shape)
    difference = images[0][inner] - images[1][inner]
    assert float(difference.square().mean().sqrt()) < 0.02 * float(images[0].std())


def test_the_way_through_memory_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row, in one part, or by plain calls of the physics."""
    from napari_selfsup_recon.methods.richardson_lucy import _passes

    for shape, side in (((13, 11), (4, 3)), ((5, 7, 6), (3, 2, 3)), ((1, 9, 8), (1, 3, 3))):
        physics = Blur(gaussian(side), shape, boundary="reflect")
        _, y = scene(physics, 3.0)
        results = []
        for given, size in ((physics, 2**21), (physics, 1), (physics, 300), (plain(physics), 1)):
            monkeypatch.setattr(_passes, "_PART_BYTES", size)
            work, _, _ = solved(Solver, given, known(y, 3.0), 0.2, iterations=15)
            results.append(work.estimate)
        for other in results[1:]:
            torch.testing.assert_close(other, results[0], rtol=1e-9, atol=1e-9)


def test_norm_is_the_largest_singular_value() -> None:
    matrix = torch.rand(20, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    physics = as_physics(Dense(matrix, (4, 6), (5, 4)), (4, 6), (5, 4))
    wanted = float(torch.linalg.matrix_norm(matrix, 2))
    assert operator_norm(physics, matrix) == pytest.approx(wanted, rel=1e-3)


def test_restores_better_than_the_measurement() -> None:
    physics = Blur(gaussian((7, 7)), (64, 60))
    truth, y = scene(physics, 4.0)
    x = TotalVariation(physics).reconstruct(y)
    assert x.dtype == np.float32
    assert x.shape == y.shape
    assert psnr(truth, x) > psnr(truth, y) + 4
    assert x.min() >= 0


@pytest.mark.parametrize("blurred", [True, False])
def test_the_weight_is_found_without_the_truth(blurred: bool) -> None:
    shape = (96, 90)
    physics: Physics = Blur(gaussian((7, 7)), shape) if blurred else Identity(shape)
    truth, y = scene(physics, 8.0, seed=3)
    auto = TotalVariation(physics)
    reached = psnr(truth, auto.reconstruct(y))
    assert auto.weight is not None
    assert len(auto.scores) >= 3
    assert all(0 < score < 5 for score in auto.scores.values())
    others = [
        psnr(truth, TotalVariation(physics, TotalVariationOptions(weight=w)).reconstruct(y))
        for w in np.geomspace(auto.weight / 4, auto.weight * 4, 9)
    ]
    assert reached > max(others) - 0.3
    assert reached > min(others) + 0.5


def test_a_weight_makes_the_same_image_whether_chosen_or_given() -> None:
    physics = Blur(gaussian((5, 5)), (48, 40))
    _, y = scene(physics, 5.0)
    auto = TotalVariation(physics)
    image = auto.reconstruct(y)
    given = TotalVariation(physics, TotalVariationOptions(weight=auto.weight))
    assert np.array_equal(given.reconstruct(y), image)
    assert given.scores == {}


@pytest.mark.parametrize("weight", ["auto", 0.2])
def test_grey_values_scale_and_shift(weight: Any) -> None:
    physics = Blur(gaussian((5, 5)), (48, 48))
    _, y = scene(physics, 5.0)
    options = TotalVariationOptions(weight=weight)
    image = TotalVariation(physics, options).reconstruct(y)
    scaled = TotalVariation(physics, options).reconstruct(16 * y)
    np.testing.assert_allclose(scaled / 16, image, atol=1e-3 * image.max())
    shifted = TotalVariation(physics, options.model_copy(update={"background": 64.0}))
    np.testing.assert_allclose(shifted.reconstruct(y + 64) - 64, image, atol=0.02 * image.max())
    # A PSF that is not normalised makes a weaker image, not another one.
    bright = Blur(4 * physics.psf, (48, 48))
    np.testing.assert_allclose(
        4 * TotalVariation(bright, options).reconstruct(y), image, atol=1e-3 * image.max()
    )


@pytest.mark.parametrize("blurred", [True, False])
def test_limits_hold(blurred: bool) -> None:
    physics: Physics = Blur(gaussian((5, 5)), (40, 40)) if blurred else Identity((40, 40))
    _, y = scene(physics, 10.0)
    options = TotalVariationOptions(weight=0.05, maximum=90.0, background=-0.0, iterations=40)
    x = TotalVariation(physics, options).reconstruct(y)
    assert x.min() >= 0
    assert x.max() <= 90 * (1 + 1e-6)
    free = TotalVariationOptions(weight=0.05, positive=False, iterations=40)
    x = TotalVariation(physics, free).reconstruct(y)
    assert x.min() < 0
    assert x.max() > 90


@pytest.mark.parametrize("blurred", [True, False])
def test_impulses_hardly_matter(blurred: bool) -> None:
    shape = (64, 64)
    physics: Physics = Blur(gaussian((5, 5)), shape) if blurred else Identity(shape)
    truth, y = scene(physics, 5.0)
    options = TotalVariationOptions(weight=0.15 if blurred else 1.0)
    clean = psnr(truth, TotalVariation(physics, options).reconstruct(y))
    rng = np.random.default_rng(5)
    hit = rng.random(shape) < 0.01
    y[hit] = rng.uniform(0, 400, hit.sum())
    robust = psnr(truth, TotalVariation(physics, options).reconstruct(y))
    bare = options.model_copy(update={"data": "quadratic", "repair": False})
    assert robust > clean - (1.0 if blurred else 2.5)
    assert robust > psnr(truth, TotalVariation(physics, bare).reconstruct(y)) + 1
    if blurred:
        left_out = TotalVariation(physics, options).run(y)
        notices = [e.message for e in left_out if isinstance(e, Notice)]
        assert any("left out" in message for message in notices)


def test_values_that_were_cut_off_do_not_lift_the_dark() -> None:
    physics = Blur(gaussian((5, 5)), (80, 80))
    truth, y = scene(physics, 12.0)
    y = y.clip(0, None)
    dark = truth == 0
    inner = np.zeros_like(dark)
    inner[8:-8, 8:-8] = True
    options = TotalVariationOptions(weight=0.2)
    x = TotalVariation(physics, options).reconstruct(y)
    bare = options.model_copy(update={"data": "quadratic"})
    lifted = TotalVariation(physics, bare).reconstruct(y)
    assert x[dark & inner].mean() < 0.5 * lifted[dark & inner].mean()
    assert psnr(truth, x) > psnr(truth, lifted)


def test_photons_count_by_their_own_noise() -> None:
    """Dark parts are as smooth, in units of their noise, as bright ones."""
    physics = Identity((64, 64))
    truth = np.full((64, 64), 20.0)
    truth[:, 32:] = 500.0
    y = np.random.default_rng(0).poisson(truth).astype(np.float32)
    options = TotalVariationOptions(weight=0.3)
    x = TotalVariation(physics, options, noise=PoissonGaussian(1.0, 0.0)).reconstruct(y)
    dark, bright = x[8:-8, 8:24].std() / 20**0.5, x[8:-8, 40:-8].std() / 500**0.5
    other = TotalVariation(physics, options, noise=Gaussian(15.0)).reconstruct(y)
    flat = other[8:-8, 8:24].std() / 20**0.5, other[8:-8, 40:-8].std() / 500**0.5
    assert abs(log(bright / dark)) < abs(log(flat[1] / flat[0]))


def test_long_voxels_are_smoothed_less_along_their_side() -> None:
    physics = Identity((24, 24, 24))
    y = np.random.default_rng(0).normal(100, 10, (24, 24, 24)).astype(np.float32)
    options = TotalVariationOptions(weight=0.5)
    x = TotalVariation(physics, options, voxel_size=(4.0, 1.0, 1.0)).reconstruct(y)
    along, across = np.abs(np.diff(x, axis=0)).mean(), np.abs(np.diff(x, axis=1)).mean()
    assert along > 1.3 * across
    same = TotalVariation(physics, options, voxel_size=(0.5, 0.5, 0.5)).reconstruct(y)
    assert np.array_equal(same, TotalVariation(physics, options).reconstruct(y))


@pytest.mark.parametrize(
    ("shape", "side"),
    [((1, 30, 28), (1, 5, 5)), ((3, 24, 24), (7, 5, 5)), ((1, 40), (1, 5)), ((40, 1), (5, 1))],
)
@pytest.mark.parametrize("blurred", [True, False])
def test_short_and_single_axes(
    shape: tuple[int, ...], side: tuple[int, ...], blurred: bool
) -> None:
    physics: Physics = Blur(gaussian(side), shape) if blurred else Identity(shape)
    _, y = scene(physics, 4.0)
    x = TotalVariation(physics, TotalVariationOptions(iterations=30)).reconstruct(y)
    assert x.shape == shape
    assert np.isfinite(x).all()


def test_flat_dark_and_noiseless_images() -> None:
    physics = Blur(gaussian((5, 5)), (32, 32))
    for level in (0.0, 7.0):
        flat = np.full((32, 32), level, np.float32)
        x = TotalVariation(physics).reconstruct(flat)
        np.testing.assert_allclose(x[6:-6, 6:-6], level, atol=0.02 * max(level, 1))


@pytest.mark.parametrize("weight", ["auto", 0.2])
@pytest.mark.parametrize("blurred", [True, False])
def test_events(weight: Any, blurred: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method_module, "_PREVIEW_EVERY", 0.0)
    monkeypatch.setattr(method_module, "_EVENT_EVERY", 0.0)
    physics: Physics = Blur(gaussian((5, 5)), (40, 44)) if blurred else Identity((40, 44))
    _, y = scene(physics, 5.0)
    before = y.copy()
    method = TotalVariation(physics, TotalVariationOptions(weight=weight, iterations=25))
    events = list(method.run(y))
    assert np.array_equal(y, before)
    stages = [e.name for e in events if isinstance(e, Stage)]
    chosen = ["Choosing the weight"] if weight == "auto" else []
    assert stages == ["Looking at the noise", *chosen, "Total variation"]
    done = events[-1]
    assert isinstance(done, Done)
    assert done.result.dtype == np.float32
    assert np.array_equal(done.result, method.reconstruct(y))
    last = [e for e in events if isinstance(e, Step) and e.finished][-1]
    assert last.index == done.step <= 25
    assert last.details["change"] > 0
    assert any(isinstance(e, Step) and not e.finished for e in events)
    previews = [e for e in events if isinstance(e, Preview)]
    assert previews
    assert previews[-1].image.shape == y.shape
    notices = [e for e in events if isinstance(e, Notice) and "Weight" in e.message]
    assert len(notices) == (weight == "auto")
    if weight == "auto":
        tried = {
            e.details["weight"] for e in events if isinstance(e, Step) and e.details.get("score")
        }
        assert tried == set(method.scores)


def test_an_image_is_shown_before_the_weight_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    physics = Blur(gaussian((5, 5)), (40, 44))
    _, y = scene(physics, 5.0)
    for window in (None, 30 * 30):
        if window is not None:  # of which no image can be shown
            monkeypatch.setitem(_choice._MOST, 2, window)
        told = list(TotalVariation(physics).run(y))
        chosen = next(e for e in told if isinstance(e, Notice) and "Weight" in e.message)
        first = next(e for e in told if isinstance(e, Preview))
        assert (told.index(first) < told.index(chosen)) is (window is None)
        assert first.image.shape == y.shape
        done = told[-1]
        assert isinstance(done, Done)
        assert np.corrcoef(first.image.ravel(), done.result.ravel())[0, 1] > 0.9


def test_ends_when_the_image_stands_still() -> None:
    physics = Identity((32, 32))
    _, y = scene(physics, 5.0)
    options = TotalVariationOptions(weight=1.0, iterations=5000)
    done = list(TotalVariation(physics, options).run(y))[-1]
    assert isinstance(done, Done)
    assert done.reason == "converged"
    assert done.step < 1000
    more = TotalVariation(physics, options.model_copy(update={"iterations": 3}))
    done = list(more.run(y))[-1]
    assert isinstance(done, Done)
    assert (done.reason, done.step) == ("finished", 3)


def test_tensors_stacks_and_doubles() -> None:
    physics = Identity((24, 20))
    _, y = scene(physics, 5.0)
    method = TotalVariation(physics, TotalVariationOptions(weight=0.5))
    one = method.reconstruct(y)
    stack = method.reconstruct(np.stack([y, 2 * y]).astype(np.float64))
    assert stack.shape == (2, 24, 20)
    np.testing.assert_allclose(stack[0], one, rtol=1e-6)
    tensor = method.reconstruct(torch.from_numpy(y))
    assert isinstance(tensor, Tensor)
    assert np.array_equal(tensor.numpy(), one)


def test_large_images_choose_on_their_busiest_part() -> None:
    level = torch.zeros(900, 700)
    level[600:860, 100:380] = torch.rand(260, 280, generator=torch.Generator().manual_seed(0))
    assert busiest(level) is None
    region = busiest(level, 2**18)
    assert region is not None
    rows, columns = region
    assert rows.start <= 620 and rows.stop >= 840
    assert columns.start <= 120 and columns.stop >= 360
    assert (rows.stop - rows.start) * (columns.stop - columns.start) <= 2**18
    assert busiest(torch.zeros(100, 100, 100)) is not None


def test_a_window_is_as_good_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    physics = Blur(gaussian((7, 7)), (128, 120))
    _, y = scene(physics, 8.0)
    whole, part = TotalVariation(physics), TotalVariation(physics)
    whole.reconstruct(y)
    monkeypatch.setattr(_choice, "_MOST", {2: 80 * 80, 3: 2**19})
    part.reconstruct(y)
    assert whole.weight is not None and part.weight is not None
    assert whole.weight != part.weight
    assert abs(log(whole.weight / part.weight)) < 0.7


@pytest.mark.parametrize("best", [0.004, 0.15, 0.33, 12.0])
def test_the_search_finds_the_lowest_score(best: float) -> None:
    tried = []

    def score(weight: float) -> Generator[Event, None, float]:
        tried.append(weight)
        yield Step(1, 1)
        return log(weight / best) ** 2

    found = exhaust(best_weight(score))
    assert found == pytest.approx(best, rel=1e-6)
    assert len(tried) == len(set(tried)) < 14


def test_the_search_ends_where_there_is_no_lowest_score() -> None:
    def falling(weight: float) -> Generator[Event, None, float]:
        yield Step(1, 1)
        return -log(weight)

    def rising(weight: float) -> Generator[Event, None, float]:
        yield Step(1, 1)
        return exp(min(weight, 50.0))

    assert 30 < exhaust(best_weight(falling)) <= 100
    assert 1e-3 <= exhaust(best_weight(rising)) < 3e-3


def test_bad_input_is_refused_with_the_way_out() -> None:
    physics = Blur(gaussian((3, 3)), (16, 16))
    with pytest.raises(InputError, match=r"voxel size \(1.0,\) does not fit 2 axes"):
        TotalVariation(physics, voxel_size=(1.0,))
    with pytest.raises(InputError, match="voxel size"):
        TotalVariation(physics, voxel_size=(1.0, -1.0))
    with pytest.raises(InputError, match=r"maximum 5 is not above the background 10"):
        TotalVariation(physics, TotalVariationOptions(background=10, maximum=5))
    with pytest.raises(InputError, match=r"shape \(16, 15\), the physics is for \(16, 16\)"):
        TotalVariation(physics).reconstruct(np.ones((16, 15)))
    with pytest.raises(InputError, match="One measurement is expected"):
        list(TotalVariation(physics).run(np.ones((2, 16, 16))))
    with pytest.raises(InputError, match="NaN"):
        TotalVariation(physics).reconstruct(np.full((16, 16), np.nan))
    bright = TotalVariation(physics, TotalVariationOptions(background=10))
    with pytest.raises(InputError, match="above every voxel"):
        bright.reconstruct(np.ones((16, 16)))
    zero = as_physics(Dense(torch.zeros(9, 9), (3, 3), (3, 3)), (3, 3), (3, 3))
    with pytest.raises(InputError, match="maps every image to zero"):
        TotalVariation(zero).reconstruct(np.ones((3, 3)))
    for wrong in ("fast", 0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="weight"):
            TotalVariationOptions(weight=wrong)


def test_it_is_registered() -> None:
    entry = METHODS.find("total-variation")
    assert entry.load_method() is TotalVariation
    assert entry.load_options() is TotalVariationOptions
    assert "denoise" in entry.tasks and not entry.learned
    for weight in ("auto", 0.25):
        options = TotalVariationOptions(weight=weight)
        assert TotalVariationOptions.model_validate_json(options.model_dump_json()) == options
    assert TotalVariationOptions.model_validate({"weight": "0.3"}).weight == 0.3
