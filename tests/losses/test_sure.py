"""Stein's estimates against the true risk, by Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.losses.divergence import curvature, rademacher, two_point
from napari_selfsup_recon.losses.sure import (
    sure,
    sure_gaussian,
    sure_poisson,
    sure_poisson_gaussian,
)
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian

M = 64
BATCHES, TOGETHER = 40, 1000  # 40,000 measurements
Estimator = Callable[[Tensor], Tensor]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clean(low: float = 2.0, high: float = 8.0) -> Tensor:
    return torch.linspace(low, high, M, dtype=torch.float64)[None, None]


def linear(y: Tensor) -> Tensor:
    """Average with the neighbours, twice as much of oneself."""
    return 0.5 * y + 0.25 * (y.roll(1, -1) + y.roll(-1, -1)) + 0.3


def bent(y: Tensor) -> Tensor:
    """A nonlinear estimator that bends one way."""
    return linear(y) + 0.2 * y.square()


def wavy(y: Tensor) -> Tensor:
    """One that bends both ways and mixes its entries."""
    near = linear(y)
    return near + 1.5 * torch.tanh(0.6 * (near - 5.0)) + 0.05 * near.square()


def compare(
    noise: Noise,
    estimator: Estimator,
    estimate: Callable[[Tensor, torch.Generator], Tensor],
    together: int = TOGETHER,
) -> tuple[float, float]:
    """Return the mean of estimate minus risk over noise, and its standard error.

    The difference is taken draw by draw: most of the scatter is common to both.
    """
    random = generator(1)
    truth = clean().expand(together, 1, M)
    differences = np.empty(BATCHES)
    for k in range(BATCHES):
        y = noise.sample(truth, random)
        risk = (estimator(y) - truth).square().mean()
        differences[k] = float(estimate(y, random).detach() - risk)
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(BATCHES))


@pytest.mark.parametrize("derivative", ["finite", "exact"])
@pytest.mark.parametrize("estimator", [linear, bent, wavy])
def test_gaussian_is_unbiased_within_its_confidence_interval(
    estimator: Estimator, derivative: str
) -> None:
    bias, error = compare(
        Gaussian(0.7),
        estimator,
        lambda y, g: sure_gaussian(y, estimator, 0.7, g, derivative=derivative, step=1e-4),
    )
    assert error < 0.01
    assert abs(bias) < 3.3 * error  # 99.9 %


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_photon_noise_is_unbiased_for_linear_estimators(sigma: float) -> None:
    bias, error = compare(
        PoissonGaussian(0.3, sigma),
        linear,
        lambda y, g: sure(y, linear, PoissonGaussian(0.3, sigma), g),
    )
    assert error < 0.02
    assert abs(bias) < 3.3 * error


def test_an_offset_changes_nothing() -> None:
    noise = PoissonGaussian(0.3, 0.5)
    moved = PoissonGaussian(0.3, 0.5, offset=100.0)
    y = noise.sample(clean(), generator())
    a = sure(y, linear, noise, generator(5))
    b = sure(y + 100, lambda z: linear(z - 100) + 100, moved, generator(5))
    assert float(a) == pytest.approx(float(b), rel=1e-6)


def bends(estimator: Estimator, y: Tensor) -> Tensor:
    """Second derivative of each entry by itself, of one measurement."""
    eye = torch.eye(M, dtype=torch.float64)[:, None] * 1e-3
    second = (estimator(y + eye) + estimator(y - eye) - 2 * estimator(y)) / 1e-6
    return second.diagonal(dim1=0, dim2=2)[None]


def test_photon_noise_is_biased_by_no_more_than_the_taylor_term() -> None:
    r"""Exactly, E[u_i h_i(y)] = E[y_i h_i(y - g e_i)] for pure photon noise.

    The estimate keeps h_i(y) - g h_i'(y) of it; the next term is :math:`g^2 E[y_i h_i''(y)] / 2`,
    and the estimate of the risk misses -2 times it.
    """
    gain = 0.3
    noise = PoissonGaussian(gain)
    random = generator(2)
    taylor = 0.0
    for _ in range(100):
        y = noise.sample(clean(), random)
        taylor += float(gain**2 * (y * bends(bent, y)).mean()) / 100
    bias, error = compare(noise, bent, lambda y, g: sure_poisson(y, bent, gain, g), 2000)
    assert abs(taylor) > 10 * error  # it can be told from noise
    assert abs(bias) < abs(taylor) + 3.3 * error
    assert bias == pytest.approx(taylor, rel=0.1)


def published(
    y: Tensor, estimator: Estimator, gain: float, sigma: float, g: torch.Generator
) -> Tensor:
    """The form of REI's published code: no offset, a plus sign, and random signs as probe."""
    h, tau = estimator(y), 1e-2
    b1 = torch.randn(y.shape, generator=g, dtype=y.dtype)
    b2 = rademacher(y, g)
    first = ((b1 * (gain * y + sigma**2)) * (estimator(y + tau * b1) - h)).sum() / tau
    bend = (b2 * (estimator(y + tau * b2) + estimator(y - tau * b2) - 2 * h)).sum() / tau**2
    fit = (h - y).square().mean() - sigma**2
    return fit + 2 * first / y.numel() + 2 * sigma**2 * gain * bend / y.numel()


def test_the_published_form_is_worse() -> None:
    gain, sigma = 0.3, 0.5
    noise = PoissonGaussian(gain, sigma)
    correct, error = compare(
        noise, bent, lambda y, g: sure_poisson_gaussian(y, bent, gain, sigma, g, step=1e-2), 2000
    )
    without, _ = compare(noise, bent, lambda y, g: sure(y, bent, noise, g, step=1e-2), 2000)
    rei, _ = compare(noise, bent, lambda y, g: published(y, bent, gain, sigma, g), 2000)
    # Second derivative 0.4 everywhere: what is expected of each, by hand.
    taylor, term = gain**2 * 0.4 * float(clean().mean()), 2 * gain * sigma**2 * 0.4
    assert correct == pytest.approx(taylor, abs=4 * error)
    assert without == pytest.approx(taylor + term, abs=4 * error)
    # The published last term is only noise, and the constant is missing.
    assert rei == pytest.approx(taylor + term + gain * float(clean().mean()), abs=8 * error)
    assert abs(correct) < abs(without) - 5 * error
    assert abs(rei) > 5 * abs(correct)


def test_the_second_derivative_is_found() -> None:
    y = PoissonGaussian(0.3, 0.5).sample(clean(), generator())
    many = y.expand(4000, 1, M)
    random = generator(3)
    found = np.array(
        [
            float(curvature(many, wavy, torch.ones_like(many), wavy(many), random, step=1e-4))
            for _ in range(20)
        ]
    )
    error = found.std(ddof=1) / np.sqrt(20)
    expected = 4000 * float(bends(wavy, y).sum())
    assert abs(expected) > 5 * error
    assert found.mean() == pytest.approx(expected, abs=3.5 * error)


def test_probes_have_the_moments_they_should() -> None:
    like = torch.zeros(1_000_000, dtype=torch.float64)
    b = two_point(like, generator())
    for power, value in ((1, 0.0), (2, 1.0), (3, 1.0)):
        assert float((b**power).mean()) == pytest.approx(value, abs=0.01)
    assert set(rademacher(like[:100], generator()).tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("noise", [Gaussian(0.5), PoissonGaussian(0.3, 0.5)])
@pytest.mark.parametrize("derivative", ["finite", "exact"])
def test_what_was_not_measured_does_not_matter(noise: Noise, derivative: str) -> None:
    mask = (torch.rand(1, 1, M, generator=generator(4), dtype=torch.float64) > 0.4).double()

    def masked(y: Tensor) -> Tensor:
        return bent(y * mask) * mask

    y = noise.sample(clean(), generator())
    seen = y * mask
    where = mask[0, 0] > 0

    def short(z: Tensor) -> Tensor:
        full = torch.zeros(len(z), 1, M, dtype=z.dtype)
        full[..., where] = z
        return masked(full)[..., where]

    def mean(y: Tensor, estimator: Estimator, weight: Tensor | None) -> tuple[float, float]:
        many = y.expand(300, *y.shape[1:])
        found = [
            float(
                sure(
                    many, estimator, noise, generator(s), weight=weight, derivative=derivative
                ).detach()
            )  # type: ignore[arg-type]
            for s in range(8)
        ]
        return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(8))

    a, error_a = mean(seen, masked, mask)
    b, error_b = mean(y[..., where], short, None)  # as if the others were not there
    assert a == pytest.approx(b, abs=4 * (error_a + error_b))


def test_weights_weigh_the_risk() -> None:
    noise = PoissonGaussian(0.3, 0.5)
    weight = 1 / noise.variance(clean())
    random = generator(6)
    difference = []
    for _ in range(40):
        truth = clean().expand(500, 1, M)
        y = noise.sample(truth, random)
        risk = ((linear(y) - truth).square() * weight).mean() / weight.mean()
        difference.append(float(sure(y, linear, noise, random, weight=weight) - risk))
    error = np.std(difference, ddof=1) / np.sqrt(40)
    assert error < 0.01 and abs(np.mean(difference)) < 3.5 * error


def test_exact_and_finite_derivatives_give_the_same_gradient() -> None:
    y = Gaussian(0.5).sample(clean(), generator())
    gradients = []
    for derivative in ("exact", "finite"):
        a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        loss = sure_gaussian(
            y, lambda z, a=a: torch.tanh(a * z), 0.5, generator(1), derivative=derivative, step=1e-5
        )
        loss.backward()
        assert a.grad is not None
        gradients.append(float(a.grad))
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4)


def test_a_prediction_at_hand_is_used() -> None:
    y = Gaussian(0.5).sample(clean(), generator())
    calls = []

    def counted(z: Tensor) -> Tensor:
        calls.append(1)
        return bent(z)

    a = sure_gaussian(y, counted, 0.5, generator(1), prediction=bent(y))
    assert len(calls) == 1
    assert float(a) == pytest.approx(float(sure_gaussian(y, bent, 0.5, generator(1))))
    asked = y.clone().requires_grad_()
    b = sure_gaussian(asked, counted, 0.5, generator(1), prediction=bent(asked), derivative="exact")
    assert len(calls) == 1
    assert float(b.detach()) == pytest.approx(float(a), rel=0.05)


def test_what_cannot_be_estimated_is_told() -> None:
    class Stripes(Gaussian):
        pass

    class Foreign(Noise):
        def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
            return clean

        def variance(self, clean: Tensor) -> Tensor:
            return clean

    y = clean()
    assert torch.isfinite(sure(y, linear, Stripes(0.1), generator()))
    with pytest.raises(InputError, match="Foreign noise"):
        sure(y, linear, Foreign(), generator())
    with pytest.raises(InputError, match="requires no gradient"):
        sure(y, linear, Gaussian(0.1), generator(), prediction=linear(y), derivative="exact")
