"""How much variation the image may have from which a network starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.consistency import consistency
from napari_selfsup_recon.losses.r2r import recorrupted
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import draw_split, has_views, hide
from napari_selfsup_recon.methods._recon._phase import phased, smooth_phase
from napari_selfsup_recon.methods._recon._scaled import scaled_equations
from napari_selfsup_recon.methods._recon._start import QUICK, THOROUGH, smooth_start
from napari_selfsup_recon.methods._recon._units import Phase, Units
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian

_FIRST, _FACTOR = 1e-3, 3.0
_SMALLEST, _LARGEST = 1e-6, 1.0
_SHARE = 0.1
# More rounds are worth their time if they lower the error to this part.
_WORTH = 0.97
_ITEMS = 4
_CENTRE = 0.2
_TINY = 1e-30
# Of differences between neighbouring slices; whether they are more alike is not known.
_BETWEEN = 0.5

_Kind = tuple[Phase, float]


@torch.no_grad()
def find_variation(
    physics: Physics,
    y: Tensor,
    units: Units,
    *,
    noise: Noise | None,
    positive: bool,
    phases: Sequence[Phase],
    seed: int,
    slab: int = 1,
) -> Units:
    """Return ``units`` with the total variation whose images tell most: weight, effort and phase.

    Of slabs of slices also whether differences between their slices count.

    What counts is the error of values that are left out and, where the noise is known, of copies of
    all values that have other noise than those which the image is made of. Found by some items, on
    a grid of factors of three and a parabola through its best points.

    Parameters
    ----------
    physics
        What made the measurements.
    y
        ``(items, channel, *measurement_shape)``.
    units
        Of the training.
    noise
        Of the measurements; None where it is not known.
    positive
        Whether images are never negative.
    phases
        What may be taken of the phase; what predicts best is.
    seed
        Of the draw of what is left out.
    slab
        Slices of an item.
    """
    few = torch.linspace(0, len(y) - 1, min(len(y), _ITEMS)).round().long().tolist()
    own = physics if physics.items is None else physics.at(few)
    tests = [_left_out(own, y[few], torch_generator(seed, "variation"))]
    if isinstance(noise, (Gaussian, PoissonGaussian)):
        generator = torch_generator(seed, "copies", device=y.device)
        tests.append(_copied(own, y[few], noise, generator))

    def missed(kind: _Kind, weight: float, effort: tuple[int, int] = QUICK) -> float:
        phase, between = kind
        given: dict[str, Any] = {"positive": positive, "effort": effort, "between": between}
        return sum(test.error(phase, weight, units, **given) for test in tests)

    place, least = 0.0, float("inf")
    chosen: _Kind = ("free", 0.0)
    kinds: list[_Kind] = [(phase, 0.0) for phase in phases]
    if slab > 1:
        kinds.append(("free", _BETWEEN))
    for kind in kinds:
        where, score = _lowest(partial(missed, kind), round(place))
        if score < least:
            place, least, chosen = where, score, kind
    weight = float(_FIRST * _FACTOR**place)
    more = missed(chosen, weight, THOROUGH) < _WORTH * missed(chosen, weight)
    phase, between = chosen
    return replace(units, variation=weight, phase=phase, thorough=more, between=between)


@dataclass(frozen=True)
class _Test:
    """What images are made of, and what they are asked for."""

    shown: Part
    asked: Part
    weight: Tensor | None

    def error(
        self,
        phase: Phase,
        weight: float,
        units: Units,
        *,
        positive: bool,
        effort: tuple[int, int],
        between: float = 0.0,
    ) -> float:
        """Return the mean squared error of what images of a weight predict, in their units."""
        y, physics = self.shown.y, self.shown.physics
        system = scaled_equations(physics, y, units)
        if phase == "free":
            x = smooth_start(system, weight, positive=positive, effort=effort, between=between)
        else:
            turn = smooth_phase(physics, y)
            amplitudes = phased(system, turn)
            positive = phase == "positive"
            x = smooth_start(amplitudes, weight, positive=positive, effort=effort) * turn
        expected = self.asked.physics.A(x * units.image)
        return float(consistency(expected, self.asked.y, weight=self.weight)) / units.measured**2


def _left_out(physics: Physics, y: Tensor, generator: torch.Generator) -> _Test:
    if has_views(physics):
        # Single values: a whole projection is foretold best by smoother images than the best ones.
        hidden = (torch.rand(y.shape, generator=generator) < _SHARE).to(y)
    else:
        hidden = draw_split(physics, y, _SHARE, generator)
    shown = Part(y * (1 - hidden), hide(physics, hidden))
    if isinstance(physics, MRI):
        hidden = hidden * outskirts(physics.measurement_shape).to(hidden)
    return _Test(shown, Part(y, physics), hidden)


def _copied(physics: Physics, y: Tensor, noise: Noise, generator: torch.Generator) -> _Test:
    weight = physics.observed(y)
    given, asked = recorrupted(y, noise, generator, weight=weight)
    return _Test(Part(given, physics), Part(asked, physics), weight)


def _lowest(missed: Callable[[float], float], first: int) -> tuple[float, float]:
    """Return the place on the grid of weights, or between, where least is missed, and how much."""
    found = {first: missed(_FIRST * _FACTOR**first)}
    for way in (1, -1):
        place = best = min(found, key=found.__getitem__)
        while place + way not in found and _SMALLEST < _FIRST * _FACTOR ** (place + way) < _LARGEST:
            place += way
            found[place] = missed(_FIRST * _FACTOR**place)
            if not found[place] < found[best]:
                break
            best = place
    best = min(found, key=found.__getitem__)
    return best + between(found, best), found[best]


def between(found: dict[int, float], best: int) -> float:
    """Return how far beside ``best`` the parabola through the logarithms is lowest."""
    if best - 1 not in found or best + 1 not in found:
        return 0.0
    before, here, after = (log(max(found[best + n], _TINY)) for n in (-1, 0, 1))
    bend = before - 2 * here + after
    return (before - after) / (2 * bend) if bend > 0 else 0.0


def outskirts(shape: Sequence[int]) -> Tensor:
    """Return 1 where centred k-space of a shape is far from its centre, and 0 near it.

    The few values near the centre make up most of an image: no prediction is close there.
    """
    radius = torch.zeros(tuple(shape))
    for axis, n in enumerate(shape):
        line = (torch.arange(n) - n // 2) / max(1, n // 2)
        radius += line.square().reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return (radius > _CENTRE**2).float()
