from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.losses.consistency import consistency, weighted_mean
from napari_selfsup_recon.losses.equivariance import equivariance
from napari_selfsup_recon.losses.renoise import renoise
from napari_selfsup_recon.physics.noise import Gaussian, Noise, Poisson, PoissonGaussian
from napari_selfsup_recon.transforms import Roll, Rotate


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_consistency_counts_what_was_measured() -> None:
    y = torch.tensor([[[1.0, 2.0, torch.nan]]])
    h = torch.tensor([[[2.0, 4.0, 7.0]]])
    assert float(consistency(h, y, weight=torch.tensor([1.0, 1.0, 0.0]))) == 2.5
    assert float(consistency(h, y, weight=torch.tensor([3.0, 1.0, 0.0]))) == 7 / 4
    assert float(consistency(h[..., :2], y[..., :2])) == 2.5
    assert float(weighted_mean(y, torch.zeros(3))) == 0


def test_gradients_pass_where_nothing_was_measured() -> None:
    h = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = consistency(h, torch.tensor([0.0, torch.inf]), weight=torch.tensor([1.0, 0.0]))
    loss.backward()
    assert h.grad is not None and h.grad.tolist() == [2.0, 0.0]


def test_equivariance_follows_its_formula() -> None:
    x = torch.randn(2, 1, 9, 9, generator=generator())
    action = Rotate().action((9, 9), 20.0)
    weight = action.valid((9, 9), like=x)
    found = equivariance(x, action, lambda z: 2 * z, lambda y: y.square(), weight=weight)
    assert torch.equal(found.moved, action(x))
    assert torch.equal(found.again, (2 * action(x)).square())
    difference = (found.again - found.moved).square() * weight
    assert float(found.loss) == pytest.approx(float(difference.sum() / (2 * weight.sum())))


def test_an_equivariant_reconstruction_has_no_loss() -> None:
    x = torch.randn(1, 1, 8, 8, generator=generator())
    assert float(equivariance(x, Roll((2, 3)), lambda z: 3 * z, lambda y: y / 3).loss) < 1e-12


@pytest.mark.parametrize(
    ("stop", "expected"), [("none", 2 * 0.25), ("target", -2 * 0.5 * 0.5), ("both", 0.0)]
)
def test_gradients_flow_as_chosen(stop: str, expected: float) -> None:
    """f(A x) = x / 2, so that the loss is (x / 2 - x)^2, of which parts are held fixed."""
    x = torch.ones(1, 1, 4, requires_grad=True)
    half = torch.tensor(0.5, requires_grad=True)
    found = equivariance(
        x,
        Roll((1,)),
        lambda z: z,
        lambda y: half * y,
        stop_gradient=stop,  # type: ignore[arg-type]
    )
    found.loss.backward()
    total = 0.0 if x.grad is None else float(x.grad.sum())
    assert total == pytest.approx(expected)
    assert half.grad is not None and float(half.grad) == pytest.approx(-1.0)


@pytest.mark.parametrize("noise", [Gaussian(0.5), Poisson(0.3), PoissonGaussian(0.3, 0.5, 2.0)])
@pytest.mark.parametrize("gradient", ["straight", "none", "normal"])
def test_new_noise_is_that_of_the_instrument(noise: Noise, gradient: str) -> None:
    u = torch.full((200_000,), 7.0, dtype=torch.float64, requires_grad=True)
    y = renoise(u, noise, generator(), gradient=gradient)  # type: ignore[arg-type]
    assert float(y.detach().mean()) == pytest.approx(7.0, abs=0.02)
    assert float(y.detach().var()) == pytest.approx(float(noise.variance(u.detach())[0]), rel=0.02)
    if gradient == "none":
        assert not y.requires_grad
        return
    y.sum().backward()
    assert u.grad is not None
    if gradient == "straight":
        assert torch.equal(u.grad, torch.ones_like(u))
    else:
        assert float(u.grad.mean()) == pytest.approx(1.0, abs=0.01)
        assert (float(u.grad.std()) > 0) == (not isinstance(noise, Gaussian))


def test_straight_through_equals_the_plain_sample() -> None:
    u = torch.rand(100, generator=generator()) * 5 - 1  # negative rates are no light
    noise = PoissonGaussian(0.3, 0.1)
    plain: Tensor = noise.sample(u, generator(1))
    assert torch.allclose(renoise(u, noise, generator(1)), plain, atol=1e-6)
    normal = renoise(u.requires_grad_(), noise, generator(1), gradient="normal")
    normal.sum().backward()
    assert u.grad is not None and torch.isfinite(u.grad).all()
