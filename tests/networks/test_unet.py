"""The U-Net: sizes, locality, pooling, initial values."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.networks.unet import UNet, initialise, pooling_factors


def small(ndim: int = 2, levels: int = 3) -> UNet:
    net = UNet(ndim, widths=[4, 6, 8, 8][:levels])
    initialise(net, torch.Generator().manual_seed(0))
    return net.double().eval()


@given(h=st.integers(1, 40), w=st.integers(1, 40))
def test_any_size_goes_in_and_comes_out(h: int, w: int) -> None:
    assert small()(torch.zeros(2, 1, h, w, dtype=torch.float64)).shape == (2, 1, h, w)


def test_volumes_of_odd_size() -> None:
    net = UNet(3, widths=[2, 4, 4], pooling=[[1, 2, 2], [2, 2, 2]])
    assert net(torch.zeros(1, 1, 5, 13, 9)).shape == (1, 1, 5, 13, 9)
    assert net.multiple == (2, 4, 4)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_nothing_beyond_its_reach_matters_and_its_reach_is_not_far_too_long(levels: int) -> None:
    net = small(levels=levels)
    (reach, _) = net.reach
    n = 2 * reach + 33
    x = torch.rand(1, 1, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    centre = n // 2 // net.multiple[0] * net.multiple[0]
    x.requires_grad_()
    net(x)[0, 0, centre, centre].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    farthest = int((rows - centre).abs().max())
    assert farthest <= reach <= 1.6 * farthest + 2


def test_pooling_makes_anisotropic_voxels_isotropic() -> None:
    assert pooling_factors((1, 1), (192, 192), 4) == [[2, 2]] * 3
    assert pooling_factors((4.0, 1.0, 1.0), (16, 128, 128), 4) == [[1, 2, 2], [1, 2, 2], [2, 2, 2]]
    # Thin stacks keep their planes.
    assert pooling_factors((1, 1, 1), (5, 64, 64), 3) == [[1, 2, 2], [1, 2, 2]]


def test_the_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    first = small().state_dict()
    torch.manual_seed(2)
    second = small().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_signals_keep_their_size_through_the_network() -> None:
    net = UNet(2)
    initialise(net, torch.Generator().manual_seed(3))
    x = torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        assert 0.3 < float(net(x).std()) < 3.0
