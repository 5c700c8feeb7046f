"""Recorrupted copies and what twins owe each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.losses.r2r import recorrupted
from napari_selfsup_recon.losses.siamese import siamese
from napari_selfsup_recon.physics.noise import Gaussian, Noise, Poisson, PoissonGaussian

COUNT = 200_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def correlation(a: Tensor, b: Tensor) -> float:
    return float((a * b).mean() / (a.std() * b.std()))


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize(
    "noise", [Gaussian(0.3), Poisson(0.2, offset=1.0), PoissonGaussian(0.05, 0.2, 1.0)]
)
def test_the_copies_have_one_mean_and_independent_noise(noise: Noise, alpha: float) -> None:
    clean = torch.full((1, 1, COUNT), 3.0)
    y = noise.sample(clean, generator())
    given, asked = recorrupted(y, noise, generator(1), alpha=alpha)
    variance = float(noise.variance(clean)[0, 0, 0])
    for copy, factor in ((given, 1 + alpha**2), (asked, 1 + alpha**-2)):
        assert float(copy.mean()) == pytest.approx(3.0, abs=6 * (factor * variance / COUNT) ** 0.5)
        assert float(copy.var()) == pytest.approx(factor * variance, rel=0.03)
    assert abs(correlation(given - clean, asked - clean)) < 0.01


def test_a_wrong_level_makes_them_correlated() -> None:
    clean = torch.zeros(1, 1, COUNT)
    y = clean + torch.randn(clean.shape, generator=generator())
    given, asked = recorrupted(y, Gaussian(2.0), generator(1))
    # (1 - 4) / sqrt((1 + 4 / 4) (1 + 4 * 4))
    assert correlation(given, asked) == pytest.approx(-3 / 34**0.5, abs=0.01)


def test_the_loss_is_the_error_and_a_floor() -> None:
    sigma, alpha = 0.1, 0.5
    clean = torch.rand(1, 1, COUNT, generator=generator())
    y = Gaussian(sigma).sample(clean, generator(1))
    _, asked = recorrupted(y, Gaussian(sigma), generator(2), alpha=alpha)
    error = 0.05
    loss = float((clean + error - asked).square().mean())
    assert loss == pytest.approx(error**2 + sigma**2 * (1 + 1 / alpha**2), rel=0.02)


def test_photons_are_dealt_whole_and_none_is_lost() -> None:
    counts = torch.arange(6.0).expand(1, 1, 6)
    given, asked = recorrupted(counts, Poisson(), generator())
    share = 1 / 1.25
    dealt = given * share
    torch.testing.assert_close(dealt, dealt.round(), atol=1e-5, rtol=0)
    torch.testing.assert_close(dealt + asked * (1 - share), counts)


def test_what_was_not_measured_stays() -> None:
    weight = torch.tensor([1.0, 0, 1, 0])
    y = torch.tensor([[[4.0, 0, 2, 0]]])
    for noise in (Gaussian(1.0), Poisson()):
        given, asked = recorrupted(y, noise, generator(), weight=weight)
        assert not given[..., [1, 3]].any()
        assert not asked[..., [1, 3]].any()
        assert not torch.equal(given, asked)


def test_bad_input_is_refused() -> None:
    y = torch.ones(1, 1, 3)
    with pytest.raises(InputError, match="alpha is 0"):
        recorrupted(y, Gaussian(1.0), generator(), alpha=0)

    class Other(Noise):
        def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
            return clean

        variance = sample  # type: ignore[assignment]

    with pytest.raises(InputError, match="Other noise"):
        recorrupted(y, Other(), generator())


def test_the_null_loss_of_a_perfect_twin_is_its_floor() -> None:
    z = torch.rand(8, 1, 64, 64, generator=generator())
    mask = (torch.rand(64, 64, generator=generator(1)) < 0.3).float()
    sigma = 0.05
    found = siamese(z, lambda v: z, lambda x: x * mask, generator(2), sigma=sigma)
    assert float(found.null) == pytest.approx(sigma**2 * float(mask.mean()), rel=0.05)
    assert float(found.mutual) == 0
    none = siamese(z, lambda v: v + (1 - mask) * z, lambda x: x * mask, generator(2), sigma=0)
    assert float(none.null) < 1e-12
    assert float(none.mutual) < 1e-12


def test_a_target_takes_no_gradient() -> None:
    z = torch.rand(2, 1, 4, 4, generator=generator()).requires_grad_()
    missed = torch.tensor([0.0, 1, 0, 1])
    for target, blind in ((None, False), (z.detach(), True)):
        found = siamese(
            z, lambda v: 0.5 * v.detach(), lambda x: x * missed, generator(), sigma=0, target=target
        )
        total = found.null + found.mutual
        assert total.requires_grad != blind
    found = siamese(
        z, lambda v: 0.5 * v, lambda x: x * missed, generator(), sigma=0, target=z.detach()
    )
    (slope,) = torch.autograd.grad(found.null, z)
    assert not slope[..., [0, 2]].any()
    assert slope[..., [1, 3]].all()
