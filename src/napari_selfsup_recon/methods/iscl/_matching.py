"""Grey values of two domains on one scale."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.training.scaling import Scaling, quantile, sample

# Noise makes the contrast of the noisy images larger, never smaller.
_CONTRASTS = (0.6, 3.0)
_SHIFT = 0.75
# Of the contrasts, beyond which the numbers cannot be of one instrument.
_FOREIGN = 8.0
_GRAIN = 8


def match(clean: Tensor, noisy: Tensor, mode: str) -> tuple[Scaling, Scaling, str]:
    """Return the scalings of both domains to mean 0 and spread 1 of the clean one, and a warning.

    Parameters
    ----------
    clean, noisy
        ``(items, z, y, x)``, as recorded.
    mode
        ``"auto"``, ``"on"`` or ``"off"``. Where they are matched, the noisy images get the median
        and the spread of the clean ones; the spread is that of means over 8 by 8 pixels, in which
        there is little noise.

    Raises
    ------
    InputError
        If one domain is constant; with ``"auto"``, if the grey values are so different that they
        must be of another kind.
    """
    middle, contrast = float(sample(clean.flatten()).mean()), float(sample(clean.flatten()).std())
    for name, domain in (("clean", clean), ("noisy", noisy)):
        if float(domain.min()) == float(domain.max()):
            raise InputError(
                f"All {name} images are constant.",
                hint=f"Choose {name} images that show something.",
            )
    ours = Scaling(middle, middle + contrast)
    if mode == "off":
        return ours, ours, ""
    medians = quantile(clean, 0.5), quantile(noisy, 0.5)
    ratio = float(sample(noisy.flatten()).std()) / contrast
    shift = (medians[1] - medians[0]) / contrast
    alike = abs(shift) <= _SHIFT and _CONTRASTS[0] <= ratio <= _CONTRASTS[1]
    if mode == "auto" and alike:
        return ours, ours, ""
    if mode == "auto" and not 1 / _FOREIGN <= ratio <= _FOREIGN:
        raise InputError(
            f"The contrast of the noisy images is {ratio:.2g} times that of the clean ones: they "
            "seem to be of another bit depth or instrument.",
            hint="Give both in the same grey values, or switch the matching on (match='on').",
        )
    spread = _coarse(noisy) / _coarse(clean)
    # value -> (value - median) / spread + median of the clean ones, then as these.
    low = medians[1] - (medians[0] - middle) * spread
    theirs = Scaling(low, low + contrast * spread)
    warning = (
        f"The noisy images are {abs(shift):.2g} contrasts {'brighter' if shift > 0 else 'darker'} "
        f"than the clean ones, and their contrast is {ratio:.2g} times as large; they were "
        "matched. If they show other things the result may be wrong."
    )
    return ours, theirs, "" if alike else warning


def _coarse(images: Tensor) -> float:
    grain = min(_GRAIN, *images.shape[-2:])
    return max(1e-12, float(avg_pool2d(images.flatten(0, 1)[:, None], grain).std()))
