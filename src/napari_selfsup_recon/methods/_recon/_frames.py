"""The same measurement seen from elsewhere: a turned object before a turned instrument."""

from __future__ import annotations

from math import pi, sqrt

import torch

from napari_selfsup_recon.methods._recon._partial import Partial
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.physics.transmission import Transmission

_COUNT = 8
_MEMORY_SHARE = 4
_GOLDEN = (sqrt(5) - 1) / 2


class Frames:
    """Instruments that measure a turned object as the given one measures the object.

    If every angle of a scan is larger by some turn, the same sinogram is that of the object turned
    by as much: no value is interpolated. A network that learns in all these frames treats all
    directions alike. Of other instruments there is the one frame that was given.

    Parameters
    ----------
    physics
        The instrument.

    Attributes
    ----------
    there
        Whether there are such instruments.
    """

    def __init__(self, physics: Physics) -> None:
        whole = physics.inner if isinstance(physics, Partial) else physics
        self._whole = whole
        self.there = isinstance(whole, (Projector, Transmission))
        self._kept: dict[int, Physics] = {}

    def draw(self, physics: Physics, generator: torch.Generator) -> Physics:
        """Return the instrument in one of the frames."""
        if not self.there:
            return physics
        number = int(torch.randint(_COUNT, (), generator=generator))
        if isinstance(physics, Partial):
            return Partial(self._frame(number), physics.keep)
        return self._frame(number)

    def _frame(self, number: int) -> Physics:
        if number and number not in self._kept:
            self._kept[number] = turned(self._whole, 2 * pi * ((number * _GOLDEN) % 1))
        return self._kept[number] if number else self._whole


def turned(physics: Physics, angle: float, *, mirrored: bool = False) -> Physics:
    """Return the scan with all angles larger by ``angle`` (radians).

    With ``mirrored`` it is first changed to the one that sees the object's mirror image, left and
    right exchanged, as the given one sees the object: each projection then begins at its end.
    """
    if isinstance(physics, Transmission):
        projector = turned(physics.projector, angle, mirrored=mirrored)
        assert isinstance(projector, Projector)
        return Transmission(
            projector,
            I0=physics.I0,
            attenuation=physics.attenuation,
            darkest=physics.darkest,
        )
    assert isinstance(physics, Projector)
    recipe = physics.recipe()
    sign = -1 if mirrored else 1
    params = {
        **recipe.params,
        "memory": physics.memory // _MEMORY_SHARE,
        "axis_offset": sign * physics.axis_offset,
    }
    angles = sign * physics.angles + angle
    built: Physics = type(physics).from_recipe(Recipe(recipe.kind, params, {"angles_rad": angles}))
    return built
