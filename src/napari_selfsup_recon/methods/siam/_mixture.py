"""The mean of both twins: how much of the second one serves."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._phase import phase_of
from napari_selfsup_recon.methods._recon._scaled import scaled_equations
from napari_selfsup_recon.methods._recon._units import Units
from napari_selfsup_recon.methods.siam._network import Projections, twin

Shares = tuple[float, float]
NONE: Shares = (0.0, 0.0)
#: A smaller share is not worth its time.
LEAST = 0.02
_TINY = 1e-12


def differences(model: Reconstructor, part: Part, projections: Projections) -> tuple[Tensor, ...]:
    r"""Return the image of the first twin, and how the second differs from it.

    Parameters
    ----------
    model
        The network.
    part
        What it is shown.
    projections
        Make the projection of its instrument.

    Returns
    -------
    tuple
        :math:`z`, :math:`P_R (w - z)` and :math:`P_N (w - z)`, over ``units.image``.
    """
    z = model(part.y, part.physics)
    projection = projections.of(part.physics)
    turn = phase_of(model.units, part.physics, part.y)
    change = twin(model, projection.null(z), projection, turn) - z
    missed = projection.null(change)
    return z, change - missed, missed


def mixed(parts: tuple[Tensor, ...], shares: Shares, *, positive: bool) -> Tensor:
    r"""Return :math:`z + a P_R (w - z) + b P_N (w - z)`."""
    z, measured, missed = parts
    x = z + shares[0] * measured + shares[1] * missed
    return x.clamp_min(0) if positive else x


class Mixture:
    r"""Find the shares with which both twins together predict values best that neither was shown.

    .. math:: \min_{a, b} \| A (z + a P_R (w - z) + b P_N (w - z)) - y \|^2

    Parameters
    ----------
    units
        Of the training.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._gram = torch.zeros(2, 2, dtype=torch.float64)
        self._right = torch.zeros(2, dtype=torch.float64)

    def add(self, parts: tuple[Tensor, ...], asked: Part, weight: Tensor | None) -> None:
        """Take in what images predict of the measurement ``asked``, where ``weight`` is not 0."""
        system = scaled_equations(asked.physics, asked.y, self._units)
        counted = torch.ones_like(system.values) if weight is None else weight
        z, *columns = parts
        rest = (system.values - system.forward(z)) * counted
        seen = [system.forward(column) * counted for column in columns]
        for i, one in enumerate(seen):
            self._right[i] += _product(one, rest)
            for j, other in enumerate(seen):
                self._gram[i, j] += _product(one, other)

    def shares(self, *, seen: bool, check: Mixture) -> Shares:
        """Return the shares, each between 0 and 1.

        Parameters
        ----------
        seen
            Whether what was measured was asked for, too, and not what was hidden alone: else only
            the share in what was missed can be told.
        check
            Of other images: without a gain there, both shares are 0.
        """
        best, least = NONE, 0.0
        for chosen in ((0,), (1,), (0, 1)) if seen else ((1,),):
            found = self._solved(chosen)
            change = self._change(found)
            if change < least:
                best, least = (float(found[0]), float(found[1])), change
        gains = check._change(torch.tensor(best, dtype=torch.float64)) < 0
        return best if max(best) >= LEAST and gains else NONE

    def _change(self, shares: Tensor) -> float:
        """Return by how much half the squared error grows with shares."""
        return float(shares @ self._gram @ shares / 2 - shares @ self._right)

    def _solved(self, chosen: tuple[int, ...]) -> Tensor:
        """Return the best shares if but some may be other than 0."""
        found = torch.zeros(2, dtype=torch.float64)
        index = list(chosen)
        gram = self._gram[index][:, index]
        ridge = _TINY * float(gram.diagonal().sum()) + _TINY
        eye = torch.eye(len(index), dtype=torch.float64)
        found[index] = torch.linalg.solve(gram + ridge * eye, self._right[index]).clamp(0, 1)
        return found


def _product(one: Tensor, other: Tensor) -> float:
    return float((one.double() * other.double()).sum())
