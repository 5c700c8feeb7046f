"""Whether the noisy images are noisier than the clean ones at all."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._spectra import Array, bands, in_bands, power

# Slices that show other places of one specimen differ by less than this in most bands.
_SHARE = 0.1
_SURE = 3.0
# And their usual details by less than this.
_GRAIN = 0.3
_SIZES, _WIDER = (0.7, 1.5, 3.0), 1.6
# In contrasts; the model finds up to 0.25 where there is no noise.
_STRENGTH = 0.35
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Excess:
    r"""By how much the spectrum of the noisy windows lies above that of the clean ones.

    Attributes
    ----------
    share
        :math:`1 - P_{clean} / P_{noisy}` in each band, coarse ones first.
    sure
        The difference of the logarithms of both powers, over its standard error.
    grain
        The like of ``share`` for the median size of details, small ones first: what is strong but
        rare, as metal and its edges, has no say in it.
    """

    share: Array
    sure: Array
    grain: Array

    @property
    def noisier(self) -> bool:
        """Whether the noisy images have more power at some frequencies, or larger details."""
        told = (self.share > _SHARE) & (self.sure > _SURE)
        return bool(np.any(told) or np.any(self.grain > _GRAIN))

    @property
    def cleaner(self) -> bool:
        """Whether they have less at some frequencies: the clean ones are the noisier."""
        other = self.share / (self.share - 1)  # of the clean ones over the noisy
        return bool(np.any((other > _SHARE) & (self.sure < -_SURE)))


def find_excess(
    clean: Array, noisy: Array, counts: tuple[int, int]
) -> Generator[None, None, Excess]:
    """Compare the spectra of windows.

    Parameters
    ----------
    clean, noisy
        ``(number, n, n)``.
    counts
        How many windows of each do not overlap: others tell nothing new.

    Yields
    ------
    None
        Between pieces of about 0.2 s.
    """
    weights = bands(clean.shape[-1])
    found = []
    for windows in (clean, noisy):
        powers: list[Array] = []
        for start in range(0, len(windows), _AT_ONCE):
            part = windows[start : start + _AT_ONCE]
            powers += [in_bands(power(window[None]), weights) + 1e-12 for window in part]
            yield
        found.append(np.stack(powers))
    means = [powers.mean(0) for powers in found]
    logs = [np.log(powers) for powers in found]
    error = sum(log.var(0) / min(count, len(log)) for log, count in zip(logs, counts, strict=True))
    differs = logs[1].mean(0) - logs[0].mean(0)
    sizes = [details(windows) for windows in (clean, noisy)]
    grain = 1 - sizes[0] / np.maximum(sizes[1], 1e-12)
    return Excess(1 - means[0] / means[1], differs / np.sqrt(error + 1e-12), grain)


def details(windows: Array) -> Array:
    """Return the median size of details of a few widths in windows ``(number, n, n)``."""
    found = []
    for width in _SIZES:
        fine, coarse = (gaussian_filter(windows, (0, w, w)) for w in (width, _WIDER * width))
        found.append(float(np.median(np.abs(fine - coarse))))
    return np.array(found)


def apart(domain: Domain, side: int) -> int:
    """Return how many windows of ``side`` fit into a domain without overlap."""
    return len(domain.slices) * max(1, domain.rows // side) * (domain.stacks.shape[-1] // side)


def doubt(excess: Excess, strength: float) -> str:
    """Return what is to be said where there is no noise to remove; empty where there is.

    Parameters
    ----------
    excess
        Of the spectra.
    strength
        Root mean square of the noise of the fitted model, in contrasts of the clean images.
    """
    if excess.noisier or strength > _STRENGTH:
        return ""
    if excess.cleaner:
        return (
            "The clean examples are noisier than the noisy images: there is no noise to remove "
            "that they lack. Exchange the two, or choose other clean examples."
        )
    return (
        "There is no noise to remove: the noise of the noisy images cannot be told from that of "
        f"the clean examples (their spectra differ by {max(0.0, float(excess.share.max())):.0%} "
        "at most). Choose clean examples with less noise; if there are none, use denoise without "
        "clean examples, which takes out noise that neighbouring pixels do not share."
    )
