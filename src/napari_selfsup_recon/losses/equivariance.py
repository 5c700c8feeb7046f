"""Agreement of a reconstruction with itself after the object moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from torch import Tensor

from napari_selfsup_recon.losses.consistency import weighted_mean

StopGradient = Literal["none", "target", "both"]


class Equivariance(NamedTuple):
    """The loss, and what it compared.

    Attributes
    ----------
    loss
        Mean squared difference of ``again`` and ``moved``.
    moved
        :math:`x_2 = T x_1`.
    again
        :math:`x_3 = f(\\text{measure}(x_2))`.
    """

    loss: Tensor
    moved: Tensor
    again: Tensor


def equivariance(
    x: Tensor,
    action: Callable[[Tensor], Tensor],
    measure: Callable[[Tensor], Tensor],
    reconstruct: Callable[[Tensor], Tensor],
    *,
    weight: Tensor | None = None,
    stop_gradient: StopGradient = "none",
) -> Equivariance:
    r"""Return how far a moved object is reconstructed from itself.

    .. math:: x_2 = T x_1, \qquad x_3 = f(\text{measure}(x_2)), \qquad
              L = \frac{\sum_i w_i (x_3 - x_2)_i^2}{\sum_i w_i}

    Parameters
    ----------
    x
        :math:`x_1`, the reconstructions ``(batch, channel, *image_shape)``.
    action
        T, one action of a transform.
    measure
        What the instrument records of an image: ``physics.A`` (EI), or the same followed by
        :func:`~napari_selfsup_recon.losses.renoise.renoise` (REI).
    reconstruct
        f, from measurement to image.
    weight
        What counts, broadcast against ``x``: ``action.valid(shape, like=x)`` leaves out what moved
        in from outside. Everything counts without it.
    stop_gradient
        ``"none"``: the gradient flows through everything, as published. ``"target"``: not through
        :math:`x_2` where it is compared with, so that the loss cannot be lowered by making
        :math:`x_1` easy to reconstruct. ``"both"``: not through :math:`x_2` at all.

    References
    ----------
    Chen, Tachella, Davies: Equivariant Imaging, ICCV 2021; Robust Equivariant Imaging, CVPR 2022.
    """
    moved = action(x)
    if stop_gradient == "both":
        moved = moved.detach()
    again = reconstruct(measure(moved))
    target = moved.detach() if stop_gradient == "target" else moved
    return Equivariance(weighted_mean((again - target).square(), weight), moved, again)
