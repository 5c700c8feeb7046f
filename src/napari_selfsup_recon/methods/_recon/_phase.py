"""Complex images whose phase is smooth: real amplitudes behind a phase that is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_selfsup_recon.methods._recon._partial import Partial, middle_reach
from napari_selfsup_recon.methods._recon._scaled import Scaled
from napari_selfsup_recon.methods._recon._units import Units
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.mri import MRI, as_channels, as_complex


@dataclass(frozen=True)
class Phased(Scaled):
    r"""Equations of amplitudes behind a known phase.

    .. math:: A (e^{i \varphi} r) = y, \qquad r \in \mathbb{R}

    Half as many unknowns as those of a complex image.

    Attributes
    ----------
    inner
        The equations of complex images.
    turn
        :math:`e^{i \varphi}` as two channels, ``(batch, 2, *image_shape)``.
    """

    inner: Scaled
    turn: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return what is measured of amplitudes ``(batch, 1, *image_shape)``."""
        return self.inner.forward(x * self.turn)

    def backward(self, values: Tensor) -> Tensor:
        """Return the transpose of :meth:`forward`."""
        return amplitude(self.inner.backward(values), self.turn)


def phased(system: Scaled, turn: Tensor) -> Phased:
    """Return the equations of the amplitudes behind a phase."""
    return Phased(system.operator, system.weigh, system.values, system, turn)


def amplitude(x: Tensor, turn: Tensor) -> Tensor:
    """Return the real part of complex images once their phase is taken off, one channel."""
    return (x * turn).sum(1, keepdim=True)


def has_phase(physics: Physics) -> bool:
    """Return whether the phase can be told: the middle of k-space is measured without gaps."""
    whole = physics.inner if isinstance(physics, Partial) else physics
    return isinstance(whole, MRI) and any(middle_reach(whole))


def phase_of(units: Units, physics: Physics, y: Tensor) -> Tensor | None:
    """Return the phase that goes with a measurement; None where it is free."""
    return None if units.phase == "free" else smooth_phase(physics, y)


@torch.no_grad()
def smooth_phase(physics: Physics, y: Tensor) -> Tensor:
    """Return the phase of the image of the middle of k-space, as :attr:`Phased.turn`.

    Along axes that are sampled throughout all frequencies count; along others a cosine window over
    the middle lines, which are never hidden from networks.

    Parameters
    ----------
    physics
        For which :func:`has_phase` holds.
    y
        ``(batch, 2, *measurement_shape)``.

    References
    ----------
    Noll, Nishimura and Macovski, IEEE Trans. Med. Imaging 10 (1991).
    """
    whole = physics.inner if isinstance(physics, Partial) else physics
    assert isinstance(whole, MRI)
    for axis, reach in enumerate(middle_reach(whole), start=-len(whole.image_shape)):
        if reach:
            n = y.shape[axis]
            place = torch.arange(n, device=y.device, dtype=y.dtype) - n // 2
            window = torch.cos(torch.pi * place / (2 * (reach + 1))).square()
            window = window * (place.abs() <= reach)
            y = y * window.reshape([-1] + [1] * (-axis - 1))
    image = as_complex(whole.A_adjoint(y))
    length = image.abs()
    # Where there is nothing any phase will do.
    turn = torch.where(length > 0, image / length, torch.ones_like(image))
    return as_channels(turn).to(y.dtype)
