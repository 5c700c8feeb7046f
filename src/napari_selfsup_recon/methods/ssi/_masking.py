"""Hiding pixels so that nothing of them is left in what the network sees."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_selfsup_recon.physics.neighbours import fill, surroundings

__all__ = ["bernoulli", "fill", "surroundings"]


def bernoulli(
    shape: tuple[int, ...], fraction: float, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Return a boolean mask that is True with probability ``fraction``, drawn on the CPU."""
    return (torch.rand(shape, generator=generator) < fraction).to(device)
