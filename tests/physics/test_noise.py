"""Noise draws what it says it draws, from its generator and from nothing else."""

from __future__ import annotations

import pytest
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import Gaussian, Noise, Poisson, PoissonGaussian

MODELS = [
    Gaussian(0.3),
    Poisson(),
    Poisson(gain=2.5, offset=100.0),
    PoissonGaussian(gain=0.4, sigma=3.0, offset=20.0),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("noise", MODELS)
@pytest.mark.parametrize("light", [0.0, 5.0, 300.0])
def test_mean_and_variance(noise: Noise, light: float) -> None:
    count = 400_000
    level = light + getattr(noise, "offset", 0.0)
    clean = torch.full((count,), level, dtype=torch.float64)
    sample = noise.sample(clean, generator())
    variance = float(noise.variance(clean)[0])
    # Five standard errors of the mean and, for shot noise of few photons, a generous kurtosis.
    assert abs(float(sample.mean()) - level) <= 5 * (variance / count) ** 0.5
    assert float(sample.var()) == pytest.approx(variance, rel=0.015, abs=1e-12)


@pytest.mark.parametrize("noise", MODELS)
def test_only_the_generator_decides(noise: Noise) -> None:
    clean = torch.linspace(0, 200, 1000)
    kept = clean.clone()
    torch.manual_seed(1)
    first = noise.sample(clean, generator(3))
    torch.manual_seed(2)
    assert torch.equal(noise.sample(clean, generator(3)), first)
    assert not torch.equal(noise.sample(clean, generator(4)), first)
    assert torch.equal(clean, kept)
    assert first.dtype == clean.dtype
    assert first.shape == clean.shape


def test_variance_follows_the_light() -> None:
    clean = torch.tensor([5.0, 10.0, 30.0])
    torch.testing.assert_close(
        PoissonGaussian(gain=2.0, sigma=3.0, offset=10.0).variance(clean),
        torch.tensor([9.0, 9.0, 49.0]),
    )
    torch.testing.assert_close(Gaussian(2.0).variance(clean), torch.full((3,), 4.0))


def test_below_the_offset_there_is_no_light() -> None:
    dark = Poisson(gain=2.0, offset=10.0).sample(torch.full((100,), 3.0), generator())
    assert torch.equal(dark, torch.full((100,), 10.0))


def test_no_noise_is_the_clean_image() -> None:
    clean = torch.rand(50, generator=generator())
    assert torch.equal(Gaussian(0.0).sample(clean, generator()), clean)


def test_noise_is_a_value() -> None:
    assert Poisson(2.0) == PoissonGaussian(gain=2.0)
    assert hash(Gaussian(1.0)) == hash(Gaussian(1.0))


@pytest.mark.parametrize("level", [-1.0, float("nan"), float("inf")])
def test_refuses_levels_that_are_none(level: float) -> None:
    with pytest.raises(InputError, match="noise level"):
        Gaussian(level)
    with pytest.raises(InputError, match="read noise"):
        PoissonGaussian(sigma=level)
    with pytest.raises(InputError, match="gain"):
        PoissonGaussian(gain=level)
    with pytest.raises(InputError, match="gain"):
        Poisson(gain=0.0)
    if level != -1.0:
        with pytest.raises(InputError, match="offset"):
            Poisson(offset=level)
