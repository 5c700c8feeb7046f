"""Crops of an extended canvas around the measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Crop:
    """A window of the canvas.

    Attributes
    ----------
    item
        Which measurement.
    block
        The part of the measurement under the window.
    before, behind
        Pixels of the window beyond the measurement, an axis; filled with its mirror image.
    target
        The part of the measurement that the physics predicts from the window.
    """

    item: int
    block: tuple[slice, ...]
    before: tuple[int, ...]
    behind: tuple[int, ...]
    target: tuple[slice, ...]


@dataclass(frozen=True)
class Canvas:
    """The image plane: the measurement and the margin that its blur reaches into.

    Parameters
    ----------
    shape
        Of the measurement.
    margins
        Pixels of the image before and behind the measurement, an axis.
    window
        Largest window an axis; it is cut to the canvas.
    """

    shape: tuple[int, ...]
    margins: tuple[tuple[int, int], ...]
    window: tuple[int, ...]

    @property
    def size(self) -> tuple[int, ...]:
        """Shape of the windows."""
        return tuple(
            min(w, n + sum(m))
            for w, n, m in zip(self.window, self.shape, self.margins, strict=True)
        )

    def at(self, item: int, start: Sequence[int]) -> Crop:
        """Return the window whose first pixel is ``start`` of the canvas."""
        block, before, behind, target = [], [], [], []
        for a, w, n, (left, right) in zip(start, self.size, self.shape, self.margins, strict=True):
            first, last = max(0, a - left), min(n, a - left + w)
            block.append(slice(first, last))
            before.append(first - (a - left))
            behind.append(a - left + w - last)
            target.append(slice(a, a + w - left - right))
        return Crop(item, tuple(block), tuple(before), tuple(behind), tuple(target))

    def random(self, items: int, generator: torch.Generator) -> Crop:
        """Return a window anywhere on the canvas of any measurement."""
        item = int(torch.randint(items, (1,), generator=generator))
        start = [
            int(torch.randint(n + sum(m) - w + 1, (1,), generator=generator))
            for w, n, m in zip(self.size, self.shape, self.margins, strict=True)
        ]
        return self.at(item, start)

    def grid(self, items: int, most: int) -> Iterator[Crop]:
        """Yield at most ``most`` windows whose targets do not overlap, spread over the canvas."""
        starts = []
        for w, n, m in zip(self.size, self.shape, self.margins, strict=True):
            room = n + sum(m) - w
            step = w - sum(m)
            starts.append(list(range(0, room + 1, step)))
        every = [(item, start) for item in range(items) for start in product(*starts)]
        spread = np.linspace(0, len(every) - 1, min(most, len(every)))
        for index in np.unique(spread.round().astype(int)):
            yield self.at(*every[index])


def mirror(x: Tensor, before: Sequence[int], behind: Sequence[int]) -> Tensor:
    """Continue ``(batch, channel, *spatial)`` by its mirror image (the edge is repeated)."""
    for axis, (left, right) in enumerate(zip(before, behind, strict=True), start=2):
        if left or right:
            index = np.pad(np.arange(x.shape[axis]), (left, right), mode="symmetric")
            x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x
