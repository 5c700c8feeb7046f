"""The image from which networks start: total variation, for a whole batch at once."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_selfsup_recon.methods._recon._scaled import Scaled
from napari_selfsup_recon.physics._normal_equations import conjugate_gradients

#: Rounds of the iteration, and conjugate gradients in each: usually, and where little is measured.
QUICK, THOROUGH = (20, 4), (24, 8)
# Differences below this part of the brightness of the image are shrunk to nothing in one round.
_SHRUNK = 0.05
# Of the penalty of the differences: that of the limits.
_LIMITS = 0.1
# The first rounds ask for less variation: what is coarse settles before what is fine.
_FIRST, _SETTLED = 10.0, 0.6
_TINY = 1e-12


@torch.no_grad()
def smooth_start(
    system: Scaled,
    weight: float,
    *,
    positive: bool,
    effort: tuple[int, int] = QUICK,
    between: float = 0.0,
) -> Tensor:
    r"""Return images that explain measurements with little variation.

    .. math:: \min_x \; \tfrac{1}{2} \|A x - b\|^2 + \lambda \sum_j |D x|_j \quad (x \ge 0)

    by the alternating direction method of multipliers, with a few steps of conjugate gradients a
    round. The length :math:`|D x|_j` is over all axes and channels. It stops after a fixed number
    of rounds: the answer for an item does not depend on the others of its batch.

    Parameters
    ----------
    system
        A of norm 1 and b, in units of which the image is about 1 where it is bright.
    weight
        :math:`\lambda`, > 0.
    positive
        Whether images are never negative.
    effort
        Rounds of the iteration, and conjugate gradients in each.
    between
        What differences between channels, the slices of a slab, count against those within.

    References
    ----------
    Goldstein and Osher, SIAM J. Imaging Sci. 2 (2009).
    """
    rounds, steps = effort
    seen = system.backward(system.values)
    x = torch.zeros_like(seen)
    split = differences(x, between)
    dual = torch.zeros_like(split)
    limited, pull = torch.zeros_like(x), torch.zeros_like(x)

    for number in range(1, rounds + 1):
        early = _FIRST ** max(0.0, 1 - number / (_SETTLED * rounds))
        penalty = weight * early / _SHRUNK
        of_limits = _LIMITS * penalty if positive else 0.0

        def normal(image: Tensor, penalty: float = penalty, limits: float = of_limits) -> Tensor:
            own = system.backward(system.forward(image))
            own = own + penalty * transposed_differences(differences(image, between), between)
            return own + limits * image if limits else own

        right = seen + penalty * transposed_differences(split - dual, between)
        residual = right + of_limits * (limited - pull) - normal(x)
        x = x + conjugate_gradients(normal, residual, shift=0.0, tolerance=0.0, iterations=steps)
        point = differences(x, between) + dual
        length = point.square().sum((0, 2), keepdim=True).sqrt().clamp_min(_TINY)
        split = point * (1 - _SHRUNK / length).clamp_min(0)
        dual = point - split
        if positive:
            limited = (x + pull).clamp_min(0)
            pull = pull + x - limited
    return limited if positive else x


def differences(x: Tensor, between: float = 0.0) -> Tensor:
    """Return forward differences, ``(axis, batch, channel, *spatial)``; 0 at the last pixel.

    With ``between`` those of channels come last, so many times as large.
    """
    parts = []
    for axis in _axes(x.ndim, between):
        n = x.shape[axis]
        part = torch.zeros_like(x)
        part.narrow(axis, 0, n - 1).copy_(x.narrow(axis, 1, n - 1) - x.narrow(axis, 0, n - 1))
        parts.append(part if axis > 1 else between * part)
    return torch.stack(parts)


def transposed_differences(p: Tensor, between: float = 0.0) -> Tensor:
    """Return the transpose of :func:`differences`."""
    total = torch.zeros_like(p[0])
    for axis, part in zip(_axes(total.ndim, between), p, strict=True):
        n = part.shape[axis]
        own = part.narrow(axis, 0, n - 1)
        own = own if axis > 1 else between * own
        total.narrow(axis, 1, n - 1).add_(own)
        total.narrow(axis, 0, n - 1).sub_(own)
    return total


def _axes(ndim: int, between: float) -> list[int]:
    return [*range(2, ndim), *([1] if between else [])]
