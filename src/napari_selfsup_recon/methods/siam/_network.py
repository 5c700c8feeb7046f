"""One network behind two instruments: the given one, and one that measures what it misses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._partial import Partial, equations, hide
from napari_selfsup_recon.methods._recon._phase import amplitude, phased
from napari_selfsup_recon.methods._recon._scaled import Scaled
from napari_selfsup_recon.methods._recon._start import smooth_start
from napari_selfsup_recon.methods._recon._units import Units
from napari_selfsup_recon.methods.siam.options import SIAMOptions
from napari_selfsup_recon.networks.clamp import open_clamp
from napari_selfsup_recon.networks.siam import SIAMNet
from napari_selfsup_recon.networks.unet import UNet
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.projection import Projection, has_formula, is_quick
from napari_selfsup_recon.physics.seen import linear_part
from napari_selfsup_recon.training.device import autocast

_KEPT = 9
# Of the start of the null twin: fewer than of the range twin's, since each costs more.
_QUICK, _THOROUGH = (8, 4), (8, 8)


class Projections:
    """Makes the projection of an instrument, and keeps those of the last few.

    Parameters
    ----------
    options
        Say how.
    """

    def __init__(self, options: SIAMOptions) -> None:
        self._options = options
        self._kept: list[tuple[Physics, Projection]] = []

    def _settings(self, physics: Physics) -> dict[str, Any]:
        wanted, options = self._options.projection, self._options
        if wanted == "exact":
            return {"regularisation": 0.0}
        how = wanted
        if wanted == "auto" and not is_quick(physics):
            # No solver that runs to its end is quick enough to be asked this often.
            how = "polynomial"
        elif wanted == "polynomial" and has_formula(physics):
            how = "auto"  # nothing is cheaper than a formula
        return {"regularisation": options.regularisation, "how": how}

    def of(self, physics: Physics) -> Projection:
        """Return the projection of an instrument; of photon counts that of the line integrals."""
        for place, (known, projection) in enumerate(self._kept):
            if known is physics:
                self._kept.insert(0, self._kept.pop(place))
                return projection
        made = Projection(linear(physics), **self._settings(linear(physics)))
        self._kept = [(physics, made), *self._kept[: _KEPT - 1]]
        return made

    def __deepcopy__(self, memo: Any) -> Self:
        # Averages of a network share what does not learn.
        return self


def linear(physics: Physics) -> Physics:
    """Return the linear operator of an instrument, some entries of which may be hidden."""
    if isinstance(physics, Partial) and not physics.linear:
        return hide(linear_part(physics.inner), 1 - physics.keep)
    return linear_part(physics)


@dataclass(frozen=True)
class Missed(Scaled):
    """Equations of an instrument that measures what another one misses.

    With a projection T the normal equations of ``T x = v`` are ``T x = v``: the transpose and the
    map together are applied once.
    """

    projection: Projection

    def forward(self, x: Tensor) -> Tensor:
        """Return the image itself; :meth:`backward` projects."""
        return x

    def backward(self, values: Tensor) -> Tensor:
        """Return the projection."""
        return self.projection.null(values)


def twin(
    model: Reconstructor, v: Tensor, projection: Projection, turn: Tensor | None = None
) -> Tensor:
    r"""Return whole images from what an instrument misses of them, by a network trained for it.

    The data consistency of the complement is

    .. math:: D_\lambda(z) = z + \frac{1}{1 + \lambda} (v - P_N z)

    Parameters
    ----------
    model
        The network.
    v
        :math:`P_N z`, over ``units.image``, ``(batch, channel, *image_shape)``.
    projection
        Of the instrument.
    turn
        Phase of the images, where the network answers amplitudes.
    """
    if isinstance(model, Published):
        return model.passed(v, projection.null)
    system: Scaled = Missed(projection.physics, 1.0, v.detach(), projection)
    start = v
    if turn is not None:
        system, start = phased(system, turn), amplitude(v, turn)
    if model.units.variation and projection.quick:
        with torch.autocast(v.device.type, enabled=False):
            units, effort = model.units, _THOROUGH if model.units.thorough else _QUICK
            start = smooth_start(
                system,
                units.variation,
                positive=model.positive,
                effort=effort,
                between=units.between,
            )

    def consistency(x: Tensor, strength: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            if turn is None:
                return x + (v - projection.null(x)) / (1 + strength)
            change = amplitude(v - projection.null(x * turn), turn)
            return x + change / (1 + strength)

    with autocast(v.device, model.precision):
        if isinstance(model.net, UNet):
            x = start + model.net(start).float()
        else:
            x = model.net(start, consistency).float()
    x = open_clamp(x, 0.0) if model.positive else x
    return x if turn is None else x * turn


class Published(Reconstructor):
    """The published network in place of the others.

    Parameters
    ----------
    ndim, channels
        Of the images.
    blocks, width
        Of the network.
    units
        Of the data.
    positive
        Whether images are never negative.
    precision
        Of the convolutions.
    generator
        Draws the first weights.
    projections
        Make the projections of instruments.
    """

    def __init__(
        self,
        ndim: int,
        channels: int,
        *,
        blocks: int,
        width: int,
        units: Units,
        positive: bool,
        precision: str,
        generator: torch.Generator,
        projections: Projections,
    ) -> None:
        torch.nn.Module.__init__(self)
        self.units, self.positive, self.precision = units, positive, precision
        self.projections = projections
        self.blocks = SIAMNet(ndim, channels, blocks=blocks, width=width)
        self.blocks.initialise(generator)

    def forward(self, y: Tensor, physics: Physics) -> Tensor:
        """Return images over ``units.image``; see :class:`Reconstructor`."""
        projection = self.projections.of(physics)
        b = projection.inverse(equations(physics, y).values) / self.units.image
        return self.passed(b, projection.range)

    def passed(self, b: Tensor, measured: Callable[[Tensor], Tensor]) -> Tensor:
        """Return whole images from projected ones, over ``units.image``."""
        with autocast(b.device, self.precision):
            x: Tensor = self.blocks(b, measured)
        return self._limited(x.float())
