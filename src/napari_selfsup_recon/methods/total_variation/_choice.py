"""The weight that predicts left-out pixels best."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import product
from math import exp, log, prod

from torch import Tensor

from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.core.measurement import Region

START = 0.2
_SMALLEST, _LARGEST = 1e-3, 1e2
_FACTOR = 1.7
# Behind the blur some noise of the image is out of sight: the best image has a little more weight
# than the best prediction (by 0.7 to 1.75 on images that are in no benchmark, 1.15 on average).
MORE = 1.15
# Pixels that the choice looks at. Parts of an image can ask for weights that differ by two, so that
# images are looked at whole; the same for volumes would take longer than all that follows.
_MOST = {2: 2**21, 3: 2**19}


def best_weight(
    score_at: Callable[[float], Generator[Event, None, float]],
    start: float = START,
    *,
    factor: float = _FACTOR,
    smallest: float = _SMALLEST,
) -> Generator[Event, None, float]:
    """Return the weight with the lowest score; the generator yields as ``score_at`` does.

    From ``start`` the weight goes downhill by the constant ``factor`` until the score rises; the
    lowest point of the parabola (in the logarithm of the weight) through the last three is taken.
    """
    scores: dict[float, float] = {}
    weight, ratio = start, factor
    scores[weight] = yield from score_at(weight)
    scores[weight * ratio] = yield from score_at(weight * ratio)
    if scores[weight * ratio] >= scores[weight]:
        ratio = 1 / ratio
    else:
        weight *= ratio
    while smallest < weight * ratio < _LARGEST:
        scores[weight * ratio] = yield from score_at(weight * ratio)
        if scores[weight * ratio] >= scores[weight]:
            return _lowest(weight, scores, factor)
        weight *= ratio
    return weight


def _lowest(weight: float, scores: dict[float, float], factor: float) -> float:
    """Return the lowest point of the parabola through ``weight`` and its neighbours."""
    places = sorted(scores)
    middle = places.index(weight)
    left, centre, right = (scores[w] for w in places[middle - 1 : middle + 2])
    bend = left - 2 * centre + right
    shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return exp(log(weight) + shift * log(factor))


def busiest(level: Tensor, most: int | None = None) -> Region | None:
    """Return the window with most structure, where ``level`` is too large to try weights on.

    Parameters
    ----------
    level
        Smoothed measurement, ``measurement_shape``.
    most
        Pixels of the window; by default what is enough to try weights on.

    Returns
    -------
    Region or None
        None where all of it is small enough.
    """
    shape = tuple(level.shape)
    most = _MOST[len(shape)] if most is None else most
    if prod(shape) <= most:
        return None
    side = max(shape)
    while prod(min(n, side) for n in shape) > most:
        side -= 1
    size = [min(n, side) for n in shape]
    best, found = -1.0, None
    for start in product(*(_starts(n, w) for n, w in zip(shape, size, strict=True))):
        region = tuple(slice(a, a + w) for a, w in zip(start, size, strict=True))
        contrast = float(level[region].var())
        if contrast > best:
            best, found = contrast, region
    return found


def _starts(n: int, window: int) -> Iterator[int]:
    """Yield the first pixels of windows that overlap by half or more and reach both ends."""
    count = max(1, -(-2 * (n - window) // window))
    for i in range(count + 1 if n > window else 1):
        yield i * (n - window) // count
