"""How well an image explains the measurement: the data term in units of the noise."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_selfsup_recon.losses.censored import censored_huber
from napari_selfsup_recon.losses.proximal import censored_dual, huber_dual
from napari_selfsup_recon.methods.total_variation._measured import Measured

# Residuals beyond so many standard deviations count linearly, as in SSI.
DELTA = 1.5
# Single outliers must not decide a score.
_WORST = 8.0


class Data:
    r"""The term :math:`\sum_i \rho((\mu_i - y_i) / \sigma_i)` of the expected measurement.

    Everything is in units of the typical noise, the background subtracted.

    Parameters
    ----------
    measured
        Measurement and noise.
    background
        Grey values that do not come from the image.
    robust
        Whether residuals count linearly from :data:`DELTA` on and values that were cut off say only
        that they lay beyond.

    Attributes
    ----------
    unit
        Grey values of one typical standard deviation.
    """

    def __init__(self, measured: Measured, *, background: float, robust: bool) -> None:
        y, noise, sigma = measured.y, measured.noise, measured.sigma()
        self.unit = float(sigma.median())
        self.robust = robust
        self.y = (y - background) / self.unit
        #: One over the standard deviation; 0 where the value does not count.
        self.inverse = (self.unit / sigma).masked_fill_(measured.wrong, 0)
        # The limits as they are in `y`, to the last digit.
        self._low = self._high = None
        if robust and noise.clipped_low is not None and (cut := y <= noise.clipped_low).any():
            self._low = float(self.y[cut].max())
        if robust and noise.clipped_high is not None and (cut := y >= noise.clipped_high).any():
            self._high = float(self.y[cut].min())
        self._cuts: dict[tuple[int, int], list[tuple[Tensor, float, int]]] = {}
        self._hidden: Tensor | None = None
        self._behind = y.new_zeros(0)

    def spread(self) -> float:
        """Return the standard deviation of the measurement, in units of its noise."""
        counted = self.inverse > 0
        return float(self.y[counted].std()) if int(counted.sum()) > 1 else 0.0

    def hide(self, mask: Tensor) -> None:
        """Leave the pixels of ``mask`` (boolean) out of the sum from now on."""
        self._hidden = mask & (self.inverse > 0)
        self._behind = self.inverse[self._hidden]
        self.inverse.masked_fill_(mask, 0)
        self._cuts.clear()

    def show(self) -> None:
        """Put the hidden pixels back into the sum."""
        if self._hidden is not None:
            self.inverse[self._hidden] = self._behind
            self._hidden = None
            self._cuts.clear()

    def dual(self, part: slice, v: Tensor, step: float) -> Tensor:
        """Return the proximal map of the conjugate of the term, for some rows.

        Parameters
        ----------
        part
            Rows of the first axis.
        v
            Point, shape of the rows, contiguous; it is changed.
        step
            Of the dual iteration.
        """
        y, inverse = self.y[part], self.inverse[part]
        if not self.robust:
            return huber_dual(v, y, inverse, step=step)
        cuts = [
            (
                index,
                censored_dual(
                    v.view(-1)[index],
                    bound,
                    inverse.reshape(-1)[index],
                    step=step,
                    side=side,
                    most=DELTA,
                ),
            )
            for index, bound, side in self._cut(part)
        ]
        result = huber_dual(v, y, inverse, step=step, delta=DELTA)
        for index, values in cuts:
            result.view(-1)[index] = values
        return result

    def score(self, mean: Tensor) -> float:
        """Return the mean loss of the hidden pixels, given the expected measurement."""
        if self._hidden is None or not len(self._behind):
            return float("inf")
        y, mu, sigma = self.y[self._hidden], mean[self._hidden], 1 / self._behind
        if not self.robust:
            return float(((mu - y) / sigma).square().double().mean() / 2)
        loss = censored_huber(mu, y, sigma=sigma, low=self._low, high=self._high, delta=DELTA)
        return float(loss.clamp_max(_WORST).double().mean())

    def _cut(self, part: slice) -> list[tuple[Tensor, float, int]]:
        """Return where values of some rows were cut off, the limit, and on which side of it."""
        key = (part.start, part.stop)
        if key not in self._cuts:
            y, counted = self.y[part].reshape(-1), self.inverse[part].reshape(-1) > 0
            found = []
            if self._low is not None:
                found.append(((counted & (y <= self._low)), self._low, -1))
            if self._high is not None:
                found.append(((counted & (y >= self._high)), self._high, 1))
            self._cuts[key] = [
                (mask.nonzero()[:, 0].to(torch.int32), bound, side)
                for mask, bound, side in found
                if bool(mask.any())
            ]
        return self._cuts[key]
