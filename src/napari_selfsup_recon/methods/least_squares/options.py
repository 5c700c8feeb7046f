"""Options of least squares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.reconstruction_options import ReconstructionOptions


class LeastSquaresOptions(ReconstructionOptions):
    """How least squares runs."""

    solver: Literal["cgls", "sirt"] = option(
        "cgls",
        title="Solver",
        description="cgls (conjugate gradients) needs few iterations; sirt, the classic of "
        "tomography, needs many and is easy to stop in time.",
    )
    iterations: Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"] = option(
        "auto",
        title="Iterations",
        description="More are sharper and noisier. auto stops in time, by values that are left out "
        "and a simulation.",
    )
    max_iterations: int = option(
        300,
        ge=1,
        le=10_000,
        title="At most",
        advanced=True,
        description="Iterations that auto may choose.",
    )
    positive: bool = option(
        True,
        title="Positive",
        description="The image is nowhere negative. Of no account for complex images.",
    )
