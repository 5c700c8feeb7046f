"""The same measurement in other orientations, which an image may be made from as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import pi

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.methods._recon._frames import turned
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import Partial
from napari_selfsup_recon.methods.ssi._symmetry import Orientation, orientations
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.transmission import Transmission


def _same(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class View:
    """A turned object before an instrument that is turned alike.

    Attributes
    ----------
    physics
        The instrument.
    forth
        Of measurements.
    back
        Of images ``(batch, channel, *image_shape)``.
    """

    physics: Physics
    forth: Callable[[Tensor], Tensor] = _same
    back: Callable[[Tensor], Tensor] = _same


def views(physics: Physics) -> list[View]:
    """Return the orientations in which nothing is interpolated; the given one is the first.

    Of masks and scans these are flips and, of square images, transpositions: after them the same
    measurement, each projection perhaps from its end, belongs to other angles. Else there is one.
    """
    if is_mask(physics):
        return [View(oriented(physics, turn), turn.apply, turn.undo) for turn in _turns(physics)]
    if isinstance(physics, Partial):
        return [
            replace(view, physics=Partial(view.physics, view.forth(physics.keep)))
            for view in views(physics.inner)
        ]
    if not isinstance(physics, (Projector, Transmission)):
        return [View(physics)]
    rows, columns = physics.image_shape[-2:]
    step = 1 if rows == columns else 2
    turns = [(quarters, mirrored) for mirrored in (False, True) for quarters in range(0, 4, step)]
    return [View(physics), *(_scanned(physics, *turn) for turn in turns[1:])]


def is_mask(physics: Physics) -> bool:
    """Return whether it measures some pixels, and some of them may be held out."""
    return isinstance(physics.inner if isinstance(physics, Partial) else physics, Inpainting)


def drawn(part: Part, generator: torch.Generator) -> Part:
    """Return masked images in one of their orientations."""
    turns = _turns(part.physics)
    turn = turns[int(torch.randint(len(turns), (), generator=generator))]
    clean = None if part.clean is None else turn.apply(part.clean)
    return Part(turn.apply(part.y), oriented(part.physics, turn), clean)


def oriented(physics: Physics, turn: Orientation) -> Physics:
    """Return the mask of images that are turned, some entries of which may be held out."""
    if isinstance(physics, Partial):
        return Partial(oriented(physics.inner, turn), turn.apply(physics.keep))
    assert isinstance(physics, Inpainting)
    return Inpainting(turn.apply(torch.from_numpy(np.array(physics.mask))))


def _turns(physics: Physics) -> list[Orientation]:
    shape = physics.image_shape
    return orientations(len(shape), square=shape[-1] == shape[-2])


def _scanned(physics: Physics, quarters: int, mirrored: bool) -> View:
    def back(x: Tensor) -> Tensor:
        upright = torch.rot90(x, -quarters, (-2, -1))
        return upright.flip(-1) if mirrored else upright

    scan = turned(physics, quarters * pi / 2, mirrored=mirrored)
    return View(scan, _from_the_end if mirrored else _same, back)


def _from_the_end(y: Tensor) -> Tensor:
    return y.flip(-1)
