"""What two twins owe each other: one sees what was measured, the other what was not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


class Siamese(NamedTuple):
    """The losses, and the answer of the null twin.

    Attributes
    ----------
    null
        Mean squared difference of the missed parts.
    mutual
        Mean squared difference of the whole images.
    answer
        w.
    """

    null: Tensor
    mutual: Tensor
    answer: Tensor


def siamese(
    z: Tensor,
    twin: Map,
    missed: Map,
    generator: torch.Generator,
    *,
    sigma: float,
    target: Tensor | None = None,
) -> Siamese:
    r"""Return how far the null twin is from the image of the range twin.

    .. math:: w = M\big(P_N (z + \varepsilon_1)\big), \qquad
              L_N = \frac1N \|P_N w - P_N (z + \varepsilon_2)\|^2, \qquad
              L_M = \frac1N \|w - z\|^2

    The expectation of the first over the draws is the error of :math:`P_N w` plus
    :math:`\sigma^2` times the share of the dimensions that is missed.

    Parameters
    ----------
    z
        Images of the range twin, ``(batch, channel, *image_shape)``.
    twin
        M behind an instrument that measures what the other one misses.
    missed
        :math:`P_N`, self-adjoint.
    generator
        Random generator on the device of z.
    sigma
        Standard deviation of :math:`\varepsilon_1` and :math:`\varepsilon_2`, in units of z.
    target
        What stands for z where it is compared with: ``z.detach()``, or a teacher's image. None: z,
        and the gradient flows through everything, as published.

    References
    ----------
    Quan, Qin, Pang and Ji, IEEE Trans. Pattern Anal. Mach. Intell. 46 (2024).
    """
    aim = z if target is None else target
    first, second = (
        sigma * torch.randn(z.shape, generator=generator, dtype=z.dtype, device=z.device)
        for _ in range(2)
    )
    w = twin(missed(z + first))
    null = (missed(w) - missed(aim + second)).square().mean()
    return Siamese(null, (w - aim).square().mean(), w)
