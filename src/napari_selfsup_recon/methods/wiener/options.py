"""Options of the Wiener filter."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.classical_options import ClassicalOptions


class WienerOptions(ClassicalOptions):
    """How the Wiener filter runs."""

    balance: Annotated[float, Field(gt=0, le=1e6)] | Literal["auto"] = option(
        "auto",
        title="Balance",
        description="Noise power over signal power, the same at all frequencies: 0.001 is sharp "
        "and noisy, 0.1 smooth. auto measures both, frequency by frequency.",
    )
    positive: bool = option(
        True,
        title="Positive",
        description="Cut negative light off: the result stays above the background.",
    )
