"""The primal-dual iteration of Chambolle and Pock for total variation with any data term."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from napari_selfsup_recon.methods.richardson_lucy._passes import BlurPasses, Passes, PlainPasses
from napari_selfsup_recon.methods.total_variation._data import Data
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur

# Over-relaxation: every step goes so much further than the plain one; below 2 it converges.
_RELAX = 1.9
# Share of the room for dual steps that the data term gets, and the ratio of primal and dual steps:
# fastest of those tried on images that are in no benchmark.
_DATA_SHARE = 0.3
_RATIO = 0.1
_SAFETY = 0.98


class Solver:
    r"""Minimise data term plus total variation.

    .. math:: \min_{l \le x \le h} \; \sum_i \rho\!\left(\frac{(A x)_i - y_i}{\sigma_i}\right)
              + \lambda \|A\| \sum_j \sqrt{\textstyle\sum_a w_a^2 (x_{j + e_a} - x_j)^2}

    by (Chambolle and Pock 2011; over-relaxed, Condat 2013)

    .. math:: \tilde x &= \text{clip}(x - \tau (A^T q + D^T p)) \\
              \tilde q &= \text{prox}_{s f^*}(q + s A (2 \tilde x - x)) \\
              \tilde p &= \text{proj}_{|p| \le \lambda}(p + s_D D (2 \tilde x - x)) \\
              (x, q, p) &\leftarrow (x, q, p) + 1.9 \, (\tilde x - x, \tilde q - q, \tilde p - p)

    in units of the typical noise. One iteration applies A and its transpose once, and passes over
    the arrays twice, part by part, so that a part is worked on while it lies in the cache.

    Parameters
    ----------
    physics
        Forward model.
    data
        Data term.
    norm
        Largest singular value of the forward model.
    weight
        :math:`\lambda`.
    limits
        l and h in units of the noise, None where there is none.
    scales
        w, an axis; 0 where differences along it do not count.
    ratio
        Of primal and dual steps.

    Attributes
    ----------
    count
        Iterations done.
    change
        Root mean square of the last watched step relative to the contrast of the measurement.
    still, still_enough
        Below this change the image stands still; well enough to compare weights.
    """

    still: ClassVar[float] = 2e-4
    still_enough: ClassVar[float] = 5e-4

    def __init__(
        self,
        physics: Physics,
        data: Data,
        *,
        norm: float,
        weight: float,
        limits: tuple[float | None, float | None],
        scales: Sequence[float],
        ratio: float = _RATIO,
    ) -> None:
        y = data.y
        self._ratio = ratio
        self.count = 0
        self.change = float("inf")
        self.weight = weight
        self._physics, self.data, self._norm = physics, data, norm
        self._limits = limits
        self._scales = [
            s if n > 1 else 0.0 for s, n in zip(scales, physics.image_shape, strict=True)
        ]
        self._spread = max(data.spread(), 1.0)
        self._passes: Passes = (
            BlurPasses(physics, y) if isinstance(physics, Blur) else PlainPasses(physics)
        )
        self._x, self._ax = self._flat()
        self._p = y.new_zeros(len(scales), *physics.image_shape)
        self._q = torch.zeros_like(y)
        self._edge = y.new_zeros(0)
        for part in self._passes.measurement_parts:
            self._passes.put(part, self._q[part], image=False)

    @property
    def estimate(self) -> Tensor:
        """The image so far, ``image_shape``, in units of the noise; a copy."""
        low, high = self._limits
        if low is None and high is None:
            return self._x.clone()
        return self._x.clamp(low, high)

    @property
    def expected(self) -> Tensor:
        """The measurement that the image explains, in units of the noise."""
        return self._ax

    def reweigh(self, weight: float) -> None:
        """Go on with another weight from where the iteration is."""
        self._p.mul_(weight / self.weight)
        self.weight = weight
        self.change = float("inf")

    def step(self, *, watch: bool = False) -> Iterator[None]:
        """Do one iteration; yields several times on the way so that others can have a turn.

        With ``watch`` the change of the image is measured.
        """
        yield from self._passes.transform(transposed=True)
        tau = self._ratio * self._spread / (self.weight * self._norm**2)
        changes = []
        for part in self._passes.image_parts:
            changes.append(self._descend(part, tau, watch))
            yield
        if watch:
            total = float(torch.stack([c.cpu() for c in changes]).sum())
            self.change = self._norm * (total / self._x.numel()) ** 0.5 / self._spread
        yield from self._passes.transform(transposed=False)
        step = _SAFETY * _DATA_SHARE / (tau * self._norm**2)
        for part in self._passes.measurement_parts:
            self._explain(part, step)
            yield
        self.count += 1

    def _descend(self, part: slice, tau: float, watch: bool) -> Tensor:
        """Move some rows of the image, and the dual of the differences between finished rows."""
        shape = self._physics.image_shape
        stored = self._passes.take(part, image=True)
        new = self._passes.crop(stored, shape)
        x = self._x[part]
        self._add_divergence(new, part)
        torch.add(x, new, alpha=-tau, out=new)
        low, high = self._limits
        if low is not None or high is not None:
            new.clamp_(low, high)
        moved = new - x
        change = moved.square().sum(dtype=torch.float64) if watch else moved.new_zeros(())
        x.add_(moved, alpha=_RELAX)
        ahead = moved.add_(new)
        # Rows are transformed with their margin, which is dark.
        for axis, n in enumerate(shape[1:], start=1):
            stored.narrow(axis, n, stored.shape[axis] - n).zero_()
        self._passes.put(part, stored, image=True)
        self._ascend(part, ahead, tau)
        return change

    def _add_divergence(self, new: Tensor, part: slice) -> None:
        """Add the transpose of the differences, applied to their dual."""
        for axis, scale in enumerate(self._scales):
            if not scale:
                continue
            p = self._p[axis]
            new.sub_(p[part], alpha=scale)
            if axis == 0:
                first = max(part.start, 1)
                new[first - part.start :].add_(p[first - 1 : part.stop - 1], alpha=scale)
            else:
                n = p.shape[axis] - 1
                new.narrow(axis, 1, n).add_(p[part].narrow(axis, 0, n), alpha=scale)

    def _ascend(self, part: slice, ahead: Tensor, tau: float) -> None:
        """Move the dual of the differences of all rows whose next row is known."""
        last = part.stop == self._x.shape[0]
        first = part.start
        if first:  # the row that had to wait
            ahead, first = torch.cat([self._edge, ahead]), first - 1
        if not last:
            self._edge = ahead[-1:].clone()
        rows = slice(first, part.stop if last else part.stop - 1)
        if rows.stop <= rows.start:
            return
        squares = sum(4 * s**2 for s in self._scales)
        step = _SAFETY * (1 - _DATA_SHARE) / (tau * squares) if squares else 0.0
        here = ahead[: rows.stop - rows.start]
        moved = []
        length: Tensor | None = None
        for axis, scale in enumerate(self._scales):
            if not scale:
                continue
            new = self._p[axis, rows].clone()
            if axis == 0:
                n = len(ahead) - 1
                new[:n].add_(ahead[1:], alpha=step * scale).sub_(ahead[:-1], alpha=step * scale)
            else:
                n = here.shape[axis] - 1
                difference = here.narrow(axis, 1, n) - here.narrow(axis, 0, n)
                new.narrow(axis, 0, n).add_(difference, alpha=step * scale)
            moved.append((axis, new))
            length = new.square() if length is None else length.addcmul_(new, new)
        if length is None:
            return
        radius = self.weight * self._norm
        shrink = length.sqrt_().clamp_min_(radius).reciprocal_().mul_(radius)
        for axis, new in moved:
            p = self._p[axis, rows]
            p.add_(new.mul_(shrink).sub_(p), alpha=_RELAX)

    def _explain(self, part: slice, step: float) -> None:
        """Move the dual of some rows of the measurement."""
        mean = self._passes.take(part, image=False)
        ax, q = self._ax[part], self._q[part]
        v = torch.sub(mean, ax)
        ax.add_(v, alpha=_RELAX)
        v.add_(mean).mul_(step).add_(q)
        q.add_(self.data.dual(part, v, step).sub_(q), alpha=_RELAX)
        self._passes.put(part, q, image=False)

    def _flat(self) -> tuple[Tensor, Tensor]:
        """Return the flat image that explains the measurement best, and what it explains."""
        y, counted = self.data.y, self.data.inverse > 0
        ones = y.new_ones((1, 1, *self._physics.image_shape))
        with torch.no_grad():
            seen = self._physics.A(ones)[0, 0]
        power = float((seen.square() * counted).sum(dtype=torch.float64))
        level = float((seen * y * counted).sum(dtype=torch.float64)) / power if power else 0.0
        low, high = self._limits
        level = max(level, low) if low is not None else level
        level = min(level, high) if high is not None else level
        return ones[0, 0].mul_(level), seen.mul_(level)
