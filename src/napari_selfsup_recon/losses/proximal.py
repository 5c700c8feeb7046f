r"""Proximal maps of the conjugates of losses: what primal-dual methods need of a data term.

For a loss :math:`f` and a step s each returns, value by value,

.. math:: q = \text{prox}_{s f^*}(v) = f'(z), \qquad z = (v - q) / s

(Moreau), so that q is the derivative of the loss at the point that the step leads to.
"""

from __future__ import annotations

import torch
from torch import Tensor

_ROOT_2 = 2**0.5
_ROOT_2_OVER_PI = 0.7978845608028654
_NEWTON = 8


def huber_dual(
    v: Tensor, y: Tensor, inverse: Tensor, *, step: float, delta: float | None = None
) -> Tensor:
    r"""Return the map for :math:`\rho_\delta((z - y) / \sigma)`, in place of ``v``.

    .. math:: q = \text{clip}\left(\frac{v - s y}{1 + s \sigma^2}, \pm \frac{\delta}{\sigma}\right)

    Parameters
    ----------
    v
        Point; it is changed and returned.
    y
        Same shape.
    inverse
        :math:`1 / \sigma`; where it is 0 the value does not count and q is 0.
    step
        s, > 0.
    delta
        Residuals beyond so many standard deviations count linearly; None: none does.
    """
    precision = inverse.square()
    q = v.sub_(y, alpha=step).mul_(precision).div_(precision.add_(step))
    if delta is None:
        return q
    limit = inverse * delta
    return torch.minimum(torch.maximum(q, -limit, out=q), limit, out=q)


def censored_dual(
    v: Tensor, bound: float, inverse: Tensor, *, step: float, side: int, most: float
) -> Tensor:
    r"""Return the map for values that the detector cut off.

    With :math:`f(z) = -\log \Phi((z - b) / \sigma)` above (``side`` 1) and
    :math:`f(z) = -\log \Phi((b - z) / \sigma)` below (``side`` -1), q solves

    .. math:: c (t - t_0) = \phi(t) / \Phi(t), \qquad t_0 = \pm (v / s - b) / \sigma, \qquad
              c = s \sigma^2, \qquad q = \mp s \sigma (t - t_0)

    by Newton's method from the left, where it is monotone, and is cut at ``most`` / sigma.

    Parameters
    ----------
    v
        Point.
    bound
        b, where the detector cut off.
    inverse
        :math:`1 / \sigma`, > 0.
    step
        s, > 0.
    side
        1 for values that were cut off above, -1 for those below.
    most
        Largest derivative in standard deviations, 1 to 2.5; a dead pixel must not pull harder than
        any other wrong one.
    """
    start = (v / step - bound).mul_(inverse).mul_(side)
    slope = step / inverse.square()
    # phi / Phi is above `most` further left, and q is cut there.
    t = start.clamp_min(-most)
    for _ in range(_NEWTON):
        tail = _mills(t)
        excess = (t - start).mul_(slope).sub_(tail)
        t = (t - excess.div_((t + tail).mul_(tail).add_(slope))).clamp_min_(-most)
    q = (t - start).mul_(step).div_(inverse)
    return torch.minimum(q, inverse * most).mul_(-side)


def _mills(t: Tensor) -> Tensor:
    """Return phi(t) / Phi(t) for t > -5."""
    density = (t.square() * -0.5).exp_().mul_(_ROOT_2_OVER_PI)
    return density.div_(torch.special.erfc(t * (-1 / _ROOT_2)))
