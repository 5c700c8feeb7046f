"""Options of total variation."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

from pydantic import Field

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.classical_options import ClassicalOptions

_IMAGES_AT_ONCE = {2: 20, 3: 21}


class TotalVariationOptions(ClassicalOptions):
    """How total variation runs. The defaults serve most images."""

    weight: Annotated[float, Field(gt=0, le=1e4)] | Literal["auto"] = option(
        "auto",
        title="Weight",
        description="How strongly unevenness is punished, in units of the noise: 0.02 is sharp and "
        "noisy, 0.5 smooth. auto finds it by values that are left out and, for images, a "
        "simulation.",
    )
    iterations: int = option(
        300,
        ge=1,
        le=100_000,
        title="Iterations",
        description="At most so many; the work ends by itself when the image stops changing.",
    )
    positive: bool = option(
        True,
        title="Positive",
        description="Light is never negative: the result stays above the background. Of no account "
        "for complex images.",
    )
    maximum: float | None = option(
        None,
        title="Maximum",
        unit="grey values",
        advanced=True,
        allow_inf_nan=False,
        description="Largest value the image can have, where one is known (1 for reflectance).",
    )
    data: Literal["robust", "quadratic"] = option(
        "robust",
        title="Fit",
        advanced=True,
        description="robust ignores hot pixels and understands values that the detector cut off; "
        "quadratic takes every value as it is. For a handful of photons per pixel, and for "
        "sinograms, both are the same.",
    )

    def memory_estimate(self, shape: tuple[int, ...]) -> int:
        """Return the bytes that one image of ``shape`` (with its margins) takes."""
        return _IMAGES_AT_ONCE[len(shape)] * 4 * prod(shape)
