"""The cells of a detector as pairs of lines through the pixel grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Rays:
    r"""A number of rays, one a cell and view, as lines through the grid of the image.

    A ray steps through the rows of the image, or through its columns: whichever it crosses more
    steeply. In step m the edges of its cell lie at :math:`l_m = l_p + l_q m` and
    :math:`h_m = h_p + h_q m`, counted in pixels across. Pixel i has the weight

    .. math:: a = w \frac{|[l_m, h_m] \cap [i - 1/2, i + 1/2]|}{|h_m - l_m|},

    with w the length of the ray within a step (distance-driven projection, De Man and Basu 2004).
    Each pixel of a row counts in full whatever the pitch: neither A nor its transpose has ripples.

    Attributes
    ----------
    low, high
        Edges, float64 ``(2, rays)``: offset and slope. Which is which does not matter.
    length
        Path within a step, in pixels, ``(rays,)``.
    along_rows
        Whether the steps are rows (else columns), bool ``(rays,)``.
    depth
        None, or offset and slope of what the weights are divided by in each step, ``(2, rays)``.
    """

    low: Tensor
    high: Tensor
    length: Tensor
    along_rows: Tensor
    depth: Tensor | None = None

    def __len__(self) -> int:
        return len(self.length)

    def part(self, start: int, stop: int) -> Rays:
        """Return some of the rays."""
        depth = None if self.depth is None else self.depth[:, start:stop]
        edges = self.low[:, start:stop], self.high[:, start:stop]
        return Rays(*edges, self.length[start:stop], self.along_rows[start:stop], depth)

    def to(self, device: torch.device) -> Rays:
        """Return the rays on a device."""
        depth = None if self.depth is None else self.depth.to(device)
        edges = self.low.to(device), self.high.to(device)
        return Rays(*edges, self.length.to(device), self.along_rows.to(device), depth)


def line(
    normal_x: Tensor,
    normal_y: Tensor,
    distance: Tensor,
    along_rows: Tensor,
    shape: Sequence[int],
) -> Tensor:
    """Return offset and slope of the lines ``x normal_x + y normal_y = distance``.

    ``x`` (to the right) and ``y`` (downwards) are counted from the centre of an image of ``shape``;
    offset and slope tell the index across from the index along, and lie on a new first axis.
    """
    middle_y, middle_x = ((n - 1) / 2 for n in shape)
    across = torch.where(along_rows, normal_x, normal_y)
    slope = -torch.where(along_rows, normal_y, normal_x) / across
    offset = distance / across + torch.where(along_rows, middle_x, middle_y)
    offset = offset - slope * torch.where(along_rows, middle_y, middle_x)
    return torch.stack([offset, slope.expand_as(offset)])
