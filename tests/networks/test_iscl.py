"""The networks of ISCL as published."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm, instance_norm

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.networks.iscl import (
    BatchInstanceNorm,
    Critic,
    Extractor,
    Generator,
    _symmetric,
)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "stated"), [(Generator, 1_148_225), (Extractor, 168_801), (Critic, 2_790_177)]
)
def test_as_many_parameters_as_published(network: type[nn.Module], stated: int) -> None:
    assert sum(p.numel() for p in network().parameters()) == stated


def test_shapes() -> None:
    x = random(2, 1, 64, 64)
    assert Generator()(x).shape == x.shape
    assert Generator()(random(1, 1, 32, 44)).shape == (1, 1, 32, 44)
    assert Extractor()(x).shape == x.shape
    assert Critic()(x).shape == (2, 1, 1, 1)
    with pytest.raises(InputError, match="multiple of 4"):
        Generator()(random(1, 1, 30, 32))


def test_the_mixture_of_norms_is_that_of_torch() -> None:
    x = random(4, 3, 9, 7)
    norm = BatchInstanceNorm(3)
    with torch.no_grad():
        norm.rho.copy_(torch.tensor([0.0, 0.3, 1.0]))
        norm.gamma.copy_(torch.tensor([1.0, 2.0, -1.0]))
        norm.beta.copy_(torch.tensor([0.0, 0.5, 1.0]))
    batch = batch_norm(x, None, None, training=True, eps=1e-7)
    instance = instance_norm(x, eps=1e-7)
    rho, gamma, beta = (p[:, None, None] for p in (norm.rho, norm.gamma, norm.beta))
    expected = gamma * (rho * batch + (1 - rho) * instance) + beta
    torch.testing.assert_close(norm(x), expected, rtol=1e-5, atol=1e-5)
    # No running averages: the same after training.
    torch.testing.assert_close(norm.eval()(x), expected, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        norm.rho.copy_(torch.tensor([-0.2, 0.4, 1.7]))
    norm.clip()
    torch.testing.assert_close(norm.rho.data, torch.tensor([0.0, 0.4, 1.0]))


def test_the_border_repeats_the_edge() -> None:
    x = random(1, 1, 5, 6)
    for border in (0, 1, 3):
        expected = np.pad(x[0, 0].numpy(), border, mode="symmetric")
        assert np.array_equal(_symmetric(x, border)[0, 0].numpy(), expected)


def test_first_weights_are_a_cut_normal_of_the_seed() -> None:
    made = [Generator(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    kernels = [
        torch.cat([p.detach().flatten() for n, p in net.named_parameters() if n.endswith("weight")])
        for net in made
    ]
    assert torch.equal(kernels[0], kernels[1])
    assert not torch.equal(kernels[0], kernels[2])
    assert float(kernels[0].abs().max()) <= 0.1
    # Of a normal distribution cut at two standard deviations 0.8796 of the deviation is left.
    assert float(kernels[0].std()) == pytest.approx(0.044, rel=0.01)
    biases = [p for n, p in made[0].named_parameters() if n.endswith("bias")]
    assert all(not bool(b.any()) for b in biases)
