"""Options of Lucy-Richardson."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.classical_options import ClassicalOptions


class RichardsonLucyOptions(ClassicalOptions):
    """How Lucy-Richardson runs. The defaults serve most images."""

    iterations: Annotated[int, Field(ge=1, le=10000)] | Literal["auto"] = option(
        "auto",
        title="Iterations",
        description="More is sharper and noisier. auto finds the number that is best for a "
        "simulated twin of the measurement, whose truth is known.",
    )
    acceleration: bool = option(
        False,
        title="Accelerate",
        description="Reaches the same sharpness in 2 to 5 times fewer iterations.",
    )
    max_iterations: int = option(
        200,
        ge=1,
        le=10000,
        title="Most iterations",
        advanced=True,
        description="auto goes no further than this.",
    )
