"""Total variation of what is no image: sinograms, counts, masked pixels, k-space, sensing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_selfsup_recon import (
    MRI,
    Blur,
    CompressedSensing,
    Gaussian,
    Identity,
    Inpainting,
    LeastSquares,
    LeastSquaresOptions,
    Physics,
    Poisson,
    PoissonGaussian,
    TotalVariation,
    TotalVariationOptions,
    as_channels,
    as_physics,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Notice, Preview, Stage
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.methods._linear import equations
from napari_selfsup_recon.methods.total_variation import method as method_module
from napari_selfsup_recon.methods.total_variation._instrument import is_instrument, measured_by
from napari_selfsup_recon.methods.total_variation._solver import Solver
from napari_selfsup_recon.metrics import psnr
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission

Array = NDArray[Any]


def discs(n: int, seed: int = 0) -> Array:
    """Discs between 0 and 1 in the middle of a dark square."""
    rng = numpy_generator("discs", seed)
    y, x = np.ogrid[:n, :n]
    image = np.zeros((n, n))
    for _ in range(8):
        cy, cx = rng.uniform(0.3 * n, 0.7 * n, 2)
        inside = (y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(0.05, 0.2) ** 2 * n**2
        image[inside] = rng.random()
    return image


def beam(n: int = 48, views: int = 16) -> ParallelBeam:
    return ParallelBeam((n, n), np.arange(views) * np.pi / views)


def clean(physics: Physics, truth: Array) -> Tensor:
    return physics.A(torch.from_numpy(truth)[None, None])[0, 0]


def noisy(values: Tensor, sigma: float, seed: int = 0) -> Array:
    noise = numpy_generator("noise", seed).standard_normal(values.shape)
    return (values.numpy() + sigma * noise).astype(np.float32)


def mask(*shape: int, share: float = 0.5) -> Array:
    return numpy_generator("mask").random(shape) < share


def columns(n: int) -> Array:
    chosen = numpy_generator("columns").random(n) < 0.3
    chosen[n // 2 - 4 : n // 2 + 4] = True
    return np.broadcast_to(chosen, (n, n))


def sinogram(sigma: float) -> tuple[Physics, Array, Array, Any]:
    physics, truth = beam(), discs(48)
    return physics, truth, noisy(clean(physics, truth), sigma), None


def counts(noise: Any) -> tuple[Physics, Array, Array, Any]:
    physics, truth = Transmission(beam(), I0=2e3, attenuation=0.05), discs(48)
    model = PoissonGaussian(gain=1.0, sigma=5.0)
    recorded = model.sample(clean(physics, truth), torch.Generator().manual_seed(0))
    return physics, truth, recorded.float().numpy(), model if noise else None


def pixels(gain: float) -> tuple[Physics, Array, Array, Any]:
    truth = discs(64) + 0.2
    physics = Inpainting(mask(64, 64))
    seen = physics.A(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    if gain:
        seen = gain * numpy_generator("photons").poisson(seen / gain)
    return physics, truth, seen.astype(np.float32), Poisson(gain) if gain else None


def k_space(sigma: float) -> tuple[Physics, Array, Array, Any]:
    truth = np.stack([discs(48), 0.3 * discs(48, 1)])
    physics = MRI(columns(48))
    y = physics.A(torch.from_numpy(truth)[None])
    y = y + sigma * physics.observed(y) * torch.randn(
        y.shape, generator=torch.Generator().manual_seed(0)
    )
    return physics, truth, y[0].float().numpy(), None


def sensing(sigma: float) -> tuple[Physics, Array, Array, Any]:
    truth = discs(24)
    matrix = numpy_generator("matrix").standard_normal((160, 24 * 24)) / 160**0.5
    physics = CompressedSensing(matrix, block=24)
    return physics, truth, noisy(clean(physics, truth), sigma), None


SCENES: dict[str, Callable[[], tuple[Physics, Array, Array, Any]]] = {
    "quiet sinogram": lambda: sinogram(0.0),
    "noisy sinogram": lambda: sinogram(0.5),
    "counts": lambda: counts(True),
    "counts of unknown noise": lambda: counts(False),
    "quiet pixels": lambda: pixels(0.0),
    "photons": lambda: pixels(0.05),
    "k-space": lambda: k_space(0.0),
    "noisy k-space": lambda: k_space(0.05),
    "sensing": lambda: sensing(0.1),
}


@pytest.mark.parametrize("name", SCENES)
def test_finds_its_weight_without_the_truth(name: str) -> None:
    physics, truth, y, noise = SCENES[name]()
    auto = TotalVariation(physics, noise=noise)
    reached = psnr(truth, auto.reconstruct(y))
    assert auto.weight is not None
    others = []
    for factor in (0.3, 3, 10):
        options = TotalVariationOptions(weight=auto.weight * factor)
        others.append(psnr(truth, TotalVariation(physics, options, noise=noise).reconstruct(y)))
    # Of quiet measurements everything is nearly perfect that is not too smooth; left-out pixels do
    # not tell how those that are measured fare.
    assert reached > min(max(others), 40.0) - (1.0 if isinstance(physics, Inpainting) else 0.5)
    assert reached > psnr(truth, LeastSquares(physics, noise=noise).reconstruct(y)) + 0.5


def joint(x: Tensor) -> Tensor:
    """The total variation of each channel, smoothed a little so that it has a slope."""
    down = torch.cat([x.diff(dim=-2), torch.zeros_like(x[..., :1, :])], dim=-2)
    right = torch.cat([x.diff(dim=-1), torch.zeros_like(x[..., :1])], dim=-1)
    return (down.square() + right.square() + 1e-8).sqrt().sum()


@pytest.mark.parametrize("kind", ["sinogram", "counts", "k-space", "pixels"])
def test_reaches_the_minimum(kind: str) -> None:
    noise: Any = Gaussian(0.3)
    if kind == "counts":
        physics: Physics = Transmission(beam(12, 7), I0=2e3, attenuation=0.05)
        noise = PoissonGaussian(1.0, 5.0)
        y = noisy(clean(physics, discs(12)), 5.0)
    elif kind == "sinogram":
        physics = beam(12, 7)
        y = noisy(clean(physics, discs(12)), 0.3)
    elif kind == "pixels":
        physics = Inpainting(mask(12, 12))
        y = noisy(clean(physics, discs(12)), 0.3) * physics.mask
    else:
        physics = MRI(columns(12))
        y = numpy_generator("k").standard_normal((2, 12, 12)).astype(np.float32)
    weight, positive = 0.02, kind != "k-space"
    options = TotalVariationOptions(weight=weight, iterations=1000, data="quadratic")
    method = TotalVariation(physics, options, noise=noise)
    still, Solver.still = Solver.still, 1e-6
    try:
        x = torch.from_numpy(method.reconstruct(y)).double()
    finally:
        Solver.still = still
    channels = physics.channels or 1
    item = torch.from_numpy(y).reshape(1, channels, *physics.measurement_shape)
    problem = equations(physics, item, noise)
    sigma = 0.3 if problem.sigma is None else problem.sigma.double()
    typical = torch.as_tensor(sigma).median()
    counted = 1.0 if problem.recorded is None else problem.recorded.double()
    norm = next(iter(method._norms.values()))

    def objective(image: Tensor) -> Tensor:
        residual = problem.physics.A(image) - problem.values.double()
        data = (counted * (residual / sigma).square()).sum() / 2
        return data + weight * norm / typical * joint(image)

    point = x.reshape(1, channels, *physics.image_shape)
    reached = float(objective(point))
    # Nothing close by is better.
    generator = torch.Generator().manual_seed(1)
    for size in (1e-2, 1e-3):
        for _ in range(20):
            step = size * torch.randn(point.shape, generator=generator, dtype=torch.float64)
            other = point + step
            assert float(objective(other.clamp_min(0) if positive else other)) > reached * (
                1 - 1e-5
            )
    # Nor is the way down from it long.
    free = point.clone().requires_grad_()
    descent = torch.optim.LBFGS([free], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        image = free.clamp_min(0) if positive else free
        value = objective(image)
        value.backward()
        return value

    descent.step(closure)
    assert closure().item() > reached * (1 - 2e-3)


def test_images_are_of_the_right_shape_and_sign() -> None:
    physics, _, y, _ = k_space(0.0)
    fixed = TotalVariationOptions(weight=0.1, iterations=20)
    image = TotalVariation(physics, fixed).reconstruct(np.stack([y, 2 * y]))
    assert image.shape == (2, 2, 48, 48)
    assert image.min() < 0  # complex images have a sign
    physics, _, y, _ = sinogram(0.0)
    image = TotalVariation(physics, fixed).reconstruct(y)
    assert image.shape == (48, 48)
    assert image.min() >= 0
    high = fixed.model_copy(update={"maximum": 0.4, "positive": False})
    image = TotalVariation(physics, high).reconstruct(y)
    assert image.max() <= 0.4 + 1e-6
    maps = numpy_generator("maps").standard_normal((3, 12, 12)) + 0j
    coils = MRI(np.ones((12, 12)), maps=maps)
    truth = torch.from_numpy(as_channels(discs(12)[None] + 0j))
    y = coils.A(truth)[0].float().numpy()
    few = TotalVariationOptions(weight=1e-3, iterations=500)
    np.testing.assert_allclose(
        TotalVariation(coils, few).reconstruct(y)[0], truth[0, 0].numpy(), atol=0.05
    )


def test_every_image_with_its_own_mask() -> None:
    masks = numpy_generator("masks").random((2, 1, 20, 18)) < 0.6
    truth = np.stack([discs(20)[:, :18], discs(20, 3)[:, :18]]) + 0.1
    y = (truth * masks[:, 0]).astype(np.float32)
    options = TotalVariationOptions(weight=0.05)
    both = TotalVariation(Inpainting(masks), options).reconstruct(y)
    for n in range(2):
        alone = TotalVariation(Inpainting(masks[n, 0]), options).reconstruct(y[n])
        assert np.array_equal(both[n], alone)


def test_backgrounds() -> None:
    options = TotalVariationOptions(weight=0.05)
    more = options.model_copy(update={"background": 7.0})
    for scene, back in ((pixels(0.0), 7.0), (sinogram(0.1), 0.0), (counts(True), 0.0)):
        physics, _, y, noise = scene
        recorded = torch.from_numpy(y)[None, None]
        seen = physics.observed(recorded) if physics.linear else None
        light = y + 7.0 if seen is None else y + 7.0 * seen[0, 0].numpy()
        shifted = None if noise is None else PoissonGaussian(1.0, 5.0)
        plain = TotalVariation(physics, options, noise=shifted).reconstruct(y)
        lifted = TotalVariation(physics, more, noise=shifted).reconstruct(light)
        np.testing.assert_allclose(lifted, plain + back, atol=2e-3)


def test_dead_and_dark_cells_do_little_harm() -> None:
    physics, truth, y, noise = counts(True)
    whole = psnr(truth, TotalVariation(physics, noise=noise).reconstruct(y))
    y = y.copy()
    y[:, 40] = 0
    y[3, 10] = -8
    dead = TotalVariation(physics, noise=noise).reconstruct(y)
    assert np.isfinite(dead).all()
    assert psnr(truth, dead) > whole - 1
    found = equations(physics, torch.from_numpy(y)[None, None], noise)
    assert found.recorded is not None
    assert not found.recorded[0, 0, :, 40].any()
    assert float(found.recorded.mean()) > 0.97


def test_counts_weigh_as_they_vary() -> None:
    physics, truth, y, noise = counts(True)
    found = equations(physics, torch.from_numpy(y)[None, None], noise)
    assert found.sigma is not None
    level = clean(physics, truth)
    wanted = (level + 25).sqrt() / level / 0.05
    assert float((found.sigma[0, 0] / wanted).log().abs().mean()) < 0.1
    line = clean(physics.projector, truth)  # type: ignore[attr-defined]
    off = (found.values[0, 0] - line) / wanted
    assert float(off.std()) == pytest.approx(1, abs=0.15)
    weights = found.weights()
    assert float(weights.max()) == pytest.approx(1)
    assert float(weights[0, 0][line > 8].mean()) < float(weights[0, 0][line < 1].mean())
    scaled = LeastSquares(physics, LeastSquaresOptions(iterations=10), noise=noise)
    assert psnr(truth, scaled.reconstruct(y)) > 20


def test_the_noise_of_instruments_is_found() -> None:
    physics, _, y, _ = sinogram(0.5)
    found, left = measured_by(physics, torch.from_numpy(y)[None, None], None, 0.0)
    assert found.noise.sigma == pytest.approx(0.5, rel=0.25)
    assert left == 0
    known, _ = measured_by(physics, torch.from_numpy(y)[None, None], Gaussian(0.1), 0.0)
    assert known.noise.sigma == 0.1
    physics, _, y, _ = k_space(0.05)
    found, _ = measured_by(physics, torch.from_numpy(y)[None], None, 0.0)
    assert found.noise.sigma == pytest.approx(0.05, rel=0.3)
    truth = 5 + 20 * np.linspace(0, 1, 200)[:, None] + np.zeros(180)
    seen = mask(200, 180)
    light = (numpy_generator("photons").poisson(truth / 0.5) * 0.5 * seen).astype(np.float32)
    found, _ = measured_by(Inpainting(seen), torch.from_numpy(light)[None, None], None, 0.0)
    assert found.noise.gain == pytest.approx(0.5, rel=0.3)
    assert bool(found.wrong[~torch.from_numpy(seen)].all())
    middle = found.noise.deviation(torch.tensor(15.0))
    assert float(middle) == pytest.approx(7.5**0.5, rel=0.15)


def test_what_counts_as_an_instrument() -> None:
    assert not is_instrument(Identity((4, 4)))
    blur = Blur(np.ones((3, 3)), (6, 6))
    assert not is_instrument(blur)
    assert not is_instrument(as_physics(blur, blur.image_shape, blur.measurement_shape))
    for physics, _, _, _ in (sinogram(0.0), counts(True), pixels(0.0), k_space(0.0), sensing(0.0)):
        assert is_instrument(physics)


def test_events_end_with_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method_module, "_PREVIEW_EVERY", 0.0)
    physics, _, y, _ = sinogram(0.5)
    kept = y.copy()
    events = list(TotalVariation(physics).run(y))
    stages = [e.name for e in events if isinstance(e, Stage)]
    assert stages == ["Looking at the noise", "Choosing the weight", "Total variation"]
    assert any(isinstance(e, Notice) and "left-out measurements" in e.message for e in events)
    previews = [e for e in events if isinstance(e, Preview)]
    assert previews[0].image.shape == (48, 48)
    done = events[-1]
    assert isinstance(done, Done)
    assert np.array_equal(done.result, TotalVariation(physics).reconstruct(y))
    assert np.array_equal(y, kept)


def test_bad_input_is_refused_with_the_way_out() -> None:
    physics, _, y, _ = sinogram(0.0)
    with pytest.raises(InputError, match="lies on its side"):
        TotalVariation(physics).reconstruct(y.T)
    with pytest.raises(InputError, match="16 angles"):
        TotalVariation(physics).reconstruct(y[:9])
    with pytest.raises(InputError, match="2 channels before them"):
        TotalVariation(MRI(np.ones((6, 6)))).reconstruct(np.ones((6, 6)))
    with pytest.raises(InputError, match="a mask for each of 2 images"):
        list(TotalVariation(Inpainting(np.ones((2, 1, 6, 6)))).run(np.ones((6, 6))))
    physics, _, y, _ = counts(True)
    with pytest.raises(InputError, match=r"Most counts are above.*flat fields"):
        TotalVariation(physics).reconstruct(3 * y)
