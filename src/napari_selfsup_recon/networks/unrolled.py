"""Few steps of reconstruction, each data consistency and a small learned regulariser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_selfsup_recon.networks.unet import UNet, initialise

Map = Callable[[Tensor], Tensor]

Consistency = Callable[[Tensor, Tensor], Tensor]
"""``(image, weight)`` to the image near it that explains the measurement."""

_FIRST_WEIGHT = 0.01
# Steps of the optimiser change the weights of data consistency so many times as much (in the
# logarithm) as those of convolutions: they have orders of magnitude to go.
_QUICK = 10.0
_STILL = 1e-12


def least_squares(
    forward: Map, backward: Map, right: Tensor, weight: float, steps: int
) -> tuple[Tensor, Tensor]:
    r"""Return :math:`x = A^T w` and :math:`w = (A A^T + \lambda)^{-1} b`, by conjugate gradients.

    x is the minimum of :math:`\|A x - b\|^2 + \lambda \|x\|^2`.

    Parameters
    ----------
    forward, backward
        A, from ``(batch, channel, *image)`` to ``(batch, channel, *measurement)``, and its
        transpose.
    right
        b, one for every item of the batch; the answer for one does not depend on the others.
    weight
        :math:`\lambda`, > 0.
    steps
        Steps of the iteration; it starts from zero.

    References
    ----------
    Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952).
    """
    # Everything in image space has a companion in measurement space, of which it is A^T.
    residual = backward(right)
    residual_dual = right
    direction, direction_dual = residual, residual_dual
    x, dual = torch.zeros_like(residual), torch.zeros_like(right)
    power = _power(residual)
    still = _STILL * power
    tiny = torch.finfo(right.dtype).tiny
    for _ in range(steps):
        seen = forward(direction)
        # Measurements may have more or fewer axes than images.
        curve = _fitted(_power(seen), direction) + weight * _power(direction)
        # Where nothing is left to do only rounding would be followed.
        length = torch.where(power > still, power / curve.clamp_min(tiny), 0.0)
        x = x + length * direction
        dual = dual + _fitted(length, dual) * direction_dual
        residual = residual - length * (backward(seen) + weight * direction)
        change = seen + weight * direction_dual
        residual_dual = residual_dual - _fitted(length, dual) * change
        before, power = power, _power(residual)
        ratio = power / before.clamp_min(tiny)
        direction = residual + ratio * direction
        direction_dual = residual_dual + _fitted(ratio, dual) * direction_dual
    return x, dual


def _power(x: Tensor) -> Tensor:
    return x.square().sum(tuple(range(1, x.ndim)), keepdim=True)


def _fitted(number: Tensor, like: Tensor) -> Tensor:
    """Return one number an item with the axes of ``like``."""
    return number.reshape(-1, *[1] * (like.ndim - 1))


class _Solve(torch.autograd.Function):
    r"""The map from b to x, whose transpose is :math:`g \mapsto (A A^T + \lambda)^{-1} A g`.

    It is solved for where the solution is well determined: in the range of A.
    """

    @staticmethod
    def forward(
        ctx: Any, right: Tensor, weight: Tensor, forward: Map, backward: Map, steps: int
    ) -> Tensor:
        x, dual = least_squares(forward, backward, right, float(weight), steps)
        ctx.save_for_backward(dual, weight)
        ctx.maps, ctx.steps = (forward, backward), steps
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None, None, None]:
        (gradient,) = gradients
        dual, weight = ctx.saved_tensors
        forward, backward = ctx.maps
        _, back = least_squares(forward, backward, forward(gradient), float(weight), ctx.steps)
        return back, -(back * dual).sum().reshape(weight.shape), None, None, None


def solve(forward: Map, backward: Map, right: Tensor, weight: Tensor, steps: int) -> Tensor:
    r"""Return :math:`\arg\min_x \|A x - b\|^2 + \lambda \|x\|^2`, differentiable in b and
    :math:`\lambda`.

    Parameters as in :func:`least_squares`. The gradient is implicit, by as many steps for the
    transposed problem, so that none of the steps is kept in memory.
    """
    x = _Solve.apply(right, weight, forward, backward, steps)  # type: ignore[no-untyped-call]
    return cast(Tensor, x)


class Unrolled(nn.Module):
    r"""Data consistency and learned regularisers in turn.

    .. math:: x_0 = D_{\lambda_0}(z), \qquad
              x_{k+1} = D_{\lambda_{k+1}}\big(x_k + R_k(x_k)\big), \qquad
              D_\lambda(z) = \arg\min_x \|A x - y\|^2 + \lambda \|A\|^2 \|x - z\|^2

    with small U-Nets :math:`R_k` without batch statistics, whose first answer is zero: before
    learning this is regularised least squares.

    Parameters
    ----------
    ndim
        2 or 3.
    channels
        Of the images ``(batch, channel, *spatial)``.
    iterations
        Number of regularisers.
    widths, pooling
        Of the U-Nets.
    first_weight
        :math:`\lambda` before learning.

    References
    ----------
    Aggarwal, Mani and Jacob, MoDL, IEEE Trans. Med. Imaging 38 (2019).
    """

    def __init__(
        self,
        ndim: int,
        channels: int = 1,
        *,
        iterations: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        pooling: Sequence[Sequence[int]] | None = None,
        first_weight: float = _FIRST_WEIGHT,
    ) -> None:
        super().__init__()
        self.regularisers = nn.ModuleList(
            UNet(ndim, channels, channels, widths=widths, pooling=pooling)
            for _ in range(iterations)
        )
        self.first_weight = first_weight
        self.log_weights = nn.Parameter(torch.zeros(iterations + 1))

    @property
    def weights(self) -> Tensor:
        """The weights :math:`\\lambda_k`."""
        return self.first_weight * (_QUICK * self.log_weights).exp()

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights; the last layer of each regulariser becomes zero."""
        for network in self.regularisers:
            assert isinstance(network, UNet)
            initialise(network, generator)
            nn.init.zeros_(network.head.weight)

    def forward(self, x: Tensor, consistency: Consistency) -> Tensor:
        """Return the reconstruction.

        Parameters
        ----------
        x
            Where to start, ``(batch, channel, *spatial)``.
        consistency
            :math:`D`, given an image and :math:`\\lambda` (a tensor without axes).
        """
        weights = self.weights
        x = consistency(x, weights[0])
        for network, weight in zip(self.regularisers, weights[1:], strict=True):
            x = consistency(x + network(x).float(), weight)
        return x
