"""Clean examples that are made of the noisy images: averages of neighbours, or denoised."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Stage, Step
from napari_selfsup_recon.core.measurement import FloatImage, Measurement
from napari_selfsup_recon.runs.control import Control

#: What is to be known of such examples, by how they are made.
CAVEATS = {
    "average": "The clean examples are averages of {average} neighbours: noise that is the same in "
    "all of them stays, and what changes from one to the next is blurred in them, so that its "
    "detail may be taken for noise. Look at the noise that was taken out.",
    "denoised": "The clean examples are the images after masked self-supervision, which cannot see "
    "noise that neighbouring pixels share: such noise is left in them and stays. What it smoothed "
    "away may be taken for noise.",
}


class Averages:
    """Means of so many neighbours along one axis, made only where they are read.

    Parameters
    ----------
    source
        Anything with ``shape`` and basic slicing.
    axis
        Along which neighbours lie; it gets ``count - 1`` shorter.
    count
        Of neighbours in a mean.
    """

    def __init__(self, source: Any, axis: int, count: int) -> None:
        self._source, self._axis, self._count = source, axis, count
        shape = [int(n) for n in source.shape]
        shape[axis] -= count - 1
        self.shape = tuple(shape)
        self.ndim = len(shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: Any) -> FloatImage:
        """Return the means at ``key``: whole numbers and slices, from the first axis on."""
        given = key if isinstance(key, tuple) else (key,)
        full = list(given + (slice(None),) * (self.ndim - len(given)))
        wanted = full[self._axis]
        span = range(self.shape[self._axis])
        places = span[wanted] if isinstance(wanted, slice) else [span[int(wanted)]]
        first, behind = min(places, default=0), max(places, default=-1) + self._count
        full[self._axis] = slice(first, max(first, behind))
        axis = sum(isinstance(k, slice) for k in full[: self._axis])
        read = np.moveaxis(np.asarray(self._source[tuple(full)], dtype=np.float64), axis, 0)
        means = [read[place - first : place - first + self._count].mean(0) for place in places]
        if not isinstance(wanted, slice):
            return np.asarray(means[0], dtype=np.float32)
        stacked = np.asarray(means).reshape(len(means), *read.shape[1:])
        return np.moveaxis(stacked, 0, axis).astype(np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Make all of them."""
        return np.array(self[()], dtype=dtype)


def averaged(measurement: Measurement, axis: int, count: int) -> Measurement:
    """Return means of ``count`` neighbours along an axis; nothing is read.

    Raises
    ------
    InputError
        If there are not as many.
    """
    depth = measurement.shape[axis]
    if depth < count:
        raise InputError(
            f"{measurement.name!r} has only {depth} slices; {count} cannot be averaged.",
            hint=f"Average at most {depth}, or give clean examples from elsewhere.",
        )
    lead = (count - 1) / 2 * measurement.scale[axis]
    return replace(
        measurement,
        data=Averages(measurement.data, axis, count),
        name=f"{measurement.name} averaged over {count}",
        translate=tuple(t + lead * (n == axis) for n, t in enumerate(measurement.translate)),
    )


def denoised(
    stacks: FloatImage, ndim: int, *, steps: int, seed: int, device: str, control: Control
) -> Generator[Event, None, FloatImage | None]:
    """Return what masked self-supervision makes of images; None if it was stopped.

    Parameters
    ----------
    stacks
        ``(items, *spatial)``.
    ndim
        Spatial axes.
    steps, seed, device
        Of the training, which sees all items.
    control
        Who may stop it.
    """
    from napari_selfsup_recon.methods.ssi.method import SSI
    from napari_selfsup_recon.methods.ssi.options import SSIOptions
    from napari_selfsup_recon.physics.identity import Identity

    shape = stacks.shape[-ndim:]
    items = stacks.reshape(-1, *shape)
    ssi = SSI(Identity(shape), SSIOptions(steps=steps, seed=seed, device=device))
    yield Stage("Making clean examples", steps)
    with closing(cast(Any, ssi.train(items))) as events:
        for event in events:
            if isinstance(event, Step):
                yield replace(event, loss=None, score=None)
            if control.stopping:
                return None
    made = np.empty_like(items)
    yield Stage("Making clean examples", len(items))
    for number, item in enumerate(items):
        with closing(cast(Any, ssi.run(item))) as events:
            for event in events:
                if isinstance(event, Done):
                    made[number] = event.result
                else:
                    yield Step(number + 1, len(items), finished=False)
                if control.stopping:
                    return None
        yield Step(number + 1, len(items))
    return made.reshape(stacks.shape)
