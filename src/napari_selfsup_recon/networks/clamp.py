"""A clamp that cannot trap what lies beyond it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        (x,) = ctx.saved_tensors
        low, high = ctx.limits
        outwards = ((x < low) & (gradient > 0)) | ((x > high) & (gradient < 0))
        return gradient.masked_fill(outwards, 0.0), None, None


def open_clamp(x: Tensor, low: float, high: float = float("inf")) -> Tensor:
    """Clamp to ``[low, high]``; descent may always lead back inside.

    The gradient passes unchanged, except where a descent step would lead further out. A plain clamp
    has no gradient beyond its limits: outputs that drift there never come back.
    """
    if not x.requires_grad:
        return x.clamp(low, high)
    return cast(Tensor, _Clamp.apply(x, low, high))  # type: ignore[no-untyped-call]
