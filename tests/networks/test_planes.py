"""Planes as channels are the same convolution."""

from __future__ import annotations

import torch
from torch.nn.functional import conv3d

from napari_selfsup_recon.networks.planes import PlaneConv3d


def test_it_equals_conv3d_with_its_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = PlaneConv3d(3, 5).double()
    x = torch.randn(2, 3, 4, 6, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    ours = layer(x)
    theirs = conv3d(x, layer.weight, layer.bias, padding=1)
    assert torch.allclose(ours, theirs, atol=1e-12)
    weight = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), [x, layer.weight]),
        torch.autograd.grad((theirs * weight).sum(), [x, layer.weight]),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-10)
