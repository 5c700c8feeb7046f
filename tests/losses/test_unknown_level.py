"""Stein's estimate with unknown level, against the solution that is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.losses.unknown_level import UnknownNoise, unsure
from napari_selfsup_recon.physics.noise import Gaussian, PoissonGaussian

SIGMA = 0.5
# Half of the entries carry signal, the others only noise.
SIGNAL = torch.cat([torch.full((16,), 3.0), torch.zeros(16)]).double()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def measurements(random: torch.Generator, many: int) -> Tensor:
    signal = SIGNAL * torch.randn(many, 1, 32, generator=random, dtype=torch.float64)
    return Gaussian(SIGMA).sample(signal, random)


@pytest.mark.parametrize("derivative", ["finite", "exact"])
def test_the_saddle_point_has_no_slope_and_finds_the_level(derivative: str) -> None:
    r"""Of h = a y the best has a_i = 1 - eta / s_i, with s the variances of y.

    Zero slope then makes eta their harmonic mean: above the noise, by the share of signal.
    """
    gain = torch.full((32,), 0.5, dtype=torch.float64, requires_grad=True)

    def scaled(z: Tensor) -> Tensor:
        return gain * z

    random = generator(1)
    unknown = UnknownNoise(spread=2.2, rate=0.01)
    spread = SIGNAL.square() + SIGMA**2
    late = []
    for step in range(600):
        y = measurements(random, 200)
        found = unsure(y, scaled, unknown, random, derivative=derivative)  # type: ignore[arg-type]
        (slope_of_loss,) = torch.autograd.grad(found.loss, gain)
        with torch.no_grad():
            gain -= 0.05 * slope_of_loss / (2 * spread / 32)  # a twentieth of Newton's step
        unknown.update(found.slopes)
        if step >= 300:
            late.append((found.slopes[0], unknown.variance))
    slope, variance = np.mean(late, axis=0)
    harmonic = float(1 / (1 / spread).mean())
    assert slope == pytest.approx(0.0, abs=0.01)
    assert variance == pytest.approx(harmonic, rel=0.05)
    assert variance >= SIGMA**2
    expected = 1 - harmonic / spread
    for half in (slice(0, 16), slice(16, 32)):
        assert float(gain.detach()[half].mean()) == pytest.approx(
            float(expected[half][0]), abs=0.06
        )
    noise = unknown.noise()
    assert isinstance(noise, Gaussian) and noise.sigma == pytest.approx(unknown.variance**0.5)


def test_slopes_are_those_of_the_estimator() -> None:
    y = measurements(generator(), 2000) + 10
    unknown = UnknownNoise(spread=2.0, photons=True, offset=4.0)
    weight = torch.cat([torch.ones(24), torch.zeros(8)])
    factors = torch.linspace(0.2, 0.9, 32).double()
    found = unsure(y, lambda z: factors * z, unknown, generator(), weight=weight)
    inside = factors[:24]
    assert found.slopes[0] == pytest.approx(float(inside.mean()), rel=1e-6)
    light = (y[..., :24] - 4.0).mean((0, 1))
    assert found.slopes[1] == pytest.approx(float((inside * light).mean()), rel=1e-6)
    misfit = ((factors - 1) * y)[..., :24].square().mean()
    expected = float(misfit) + 2 * unknown.variance * found.slopes[0]
    assert float(found.loss) == pytest.approx(expected, rel=1e-6)  # the gain is still 0


def test_multipliers_rise_with_the_slopes_and_stay_positive() -> None:
    unknown = UnknownNoise(spread=2.0, photons=True, start=0.3, rate=0.1)
    assert unknown.variance == pytest.approx(0.09) and isinstance(unknown.noise(), Gaussian)
    unknown.update((0.5, 3.0))
    assert unknown.variance > 0.09 and unknown.gain > 0
    assert isinstance(unknown.noise(), PoissonGaussian)
    twin = UnknownNoise(spread=2.0, photons=True, rate=0.1)
    twin.load_state(unknown.state())
    for one in (unknown, twin):
        one.update((-0.1, -0.2))
    assert twin.state() == unknown.state()
    for _ in range(100):
        unknown.update((-1.0, -1.0))
    assert unknown.variance == 0 and unknown.gain == 0


@pytest.mark.parametrize("change", [{"spread": 0.0}, {"spread": 1.0, "start": -1.0}])
def test_bad_parameters_are_told(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match="above 0"):
        UnknownNoise(**change)  # type: ignore[arg-type]
