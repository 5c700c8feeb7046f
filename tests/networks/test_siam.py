"""The published network of SIAM."""

from __future__ import annotations

import pytest
import torch

from napari_selfsup_recon.networks.siam import SIAMNet

MASK = (torch.rand(8, 9, generator=torch.Generator().manual_seed(0)) < 0.5).float()


def made(**settings: int) -> SIAMNet:
    network = SIAMNet(2, **settings)  # type: ignore[arg-type]
    network.initialise(torch.Generator().manual_seed(1))
    return network


def test_parameters_of_the_released_shape() -> None:
    network = made()
    assert sum(p.numel() for p in network.parameters()) == 939_225
    assert sum(p.numel() for p in network.blocks[0].parameters()) + 1 == 37_569


def test_it_begins_as_released() -> None:
    network = made(blocks=2)
    assert network.steps.tolist() == [0.5, 0.5]
    inner = network.blocks[1].inner[2]
    assert bool((inner.bias == 0.01).all())
    assert float(inner.weight.detach().std()) == pytest.approx((2 / (2 * 32 * 9)) ** 0.5, rel=0.05)
    assert network.blocks[0].first.bias is None


def test_the_first_step_changes_nothing() -> None:
    network = made(blocks=3, width=4)
    b = MASK * torch.rand(2, 1, 8, 9, generator=torch.Generator().manual_seed(2))
    network(b, lambda x: x * MASK).square().sum().backward()
    slopes = network.steps.grad
    assert slopes is not None
    assert float(slopes[0]) == 0
    assert bool((slopes[1:] != 0).all())


def test_steps_can_be_held_where_they_converge() -> None:
    network = SIAMNet(2, blocks=2, width=4, limited=True)
    network.initialise(torch.Generator().manual_seed(1))
    b = MASK * torch.ones(1, 1, 8, 9)
    with torch.no_grad():
        network.steps[1] = 2.0
        kept = network(b, lambda x: x * MASK)
        network.steps[1] = 5.0
        assert torch.equal(network(b, lambda x: x * MASK), kept)
        network.limited = False
        assert not torch.equal(network(b, lambda x: x * MASK), kept)


def test_volumes_and_channels() -> None:
    network = SIAMNet(3, 2, blocks=1, width=4)
    network.initialise(torch.Generator().manual_seed(1))
    assert network.blocks[0].last.bias is None
    x = torch.rand(1, 2, 4, 5, 6)
    assert network(x, lambda v: v).shape == x.shape
