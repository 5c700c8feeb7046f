"""Options of SIAM."""

from __future__ import annotations

from typing import Any, Literal

from napari_selfsup_recon.core.options import option
from napari_selfsup_recon.methods.ei.options import NoisyOptions


class SIAMOptions(NoisyOptions):
    """How SIAM learns. The defaults serve most instruments."""

    null: float = option(
        0.1,
        ge=0,
        le=1e3,
        title="Null weight",
        advanced=True,
        description="Weight of the agreement of the twins in what the instrument misses, against "
        "the agreement with the measurement; both in units of the image. 0 leaves it out.",
    )
    mutual: float = option(
        0.05,
        ge=0,
        le=1e3,
        title="Mutual weight",
        advanced=True,
        description="Weight of the agreement of the twins in the whole image. 0 leaves it out.",
    )
    gradient: Literal["stop", "target", "both", "teacher"] = option(
        "stop",
        title="Who learns",
        advanced=True,
        description="stop: the second twin learns from the first, whose image counts as given. "
        "target: the first also learns to make what it infers easy to tell. both: each learns from "
        "the other, as published. teacher: both learn from an average of the network over many "
        "steps.",
    )
    most: float = option(
        0.3,
        gt=0,
        le=1e6,
        title="Most of the twins",
        advanced=True,
        description="The terms of the twins are held back where their gradient is longer than this "
        "part of that of the agreement with the measurement.",
    )
    draw: float = option(
        0.02,
        ge=0,
        le=1,
        title="Noise between the twins",
        advanced=True,
        description="Standard deviation of the noise that is added to what the second twin sees, "
        "as part of the brightness of the image.",
    )
    average: bool = option(
        True,
        title="Average of the twins",
        advanced=True,
        description="The result is a mean of both twins, with shares that predict held-out values "
        "best. Off: the first twin alone, as published.",
    )
    orientations: bool = option(
        True,
        title="All orientations",
        advanced=True,
        description="The mean over flips and quarter turns has a part in the result where nothing "
        "is interpolated, behind masks and scans, as large as predicts held-out values best. Masks "
        "are also learned from in all of them. It takes up to 8 times as long to apply. Off: as it "
        "lies, as published.",
    )
    begin: float = option(
        0.75,
        ge=0,
        le=1,
        title="Twins from",
        advanced=True,
        description="The share of the steps after which the twins begin to teach each other. 0: "
        "from the start, as published.",
    )
    alpha: float | None = option(
        0.0,
        ge=0,
        le=1e6,
        title="Equivariance",
        advanced=True,
        description="Weight of the equivariance of EI, in units of the image. 0 leaves it out, and "
        "the return to the data with it; without a value it is that of EI, or of REI where the "
        "noise is known.",
    )
    projection: Literal["auto", "exact", "iterated", "polynomial"] = option(
        "auto",
        title="Projection",
        advanced=True,
        description="How the measured part of an image is told from the missed one. auto: details "
        "that are measured weakly count as missed in part. exact: those that are measured at all "
        "are measured. iterated, polynomial: as auto, without a matrix; the last is the cheapest.",
    )
    regularisation: float = option(
        1e-3,
        gt=0,
        le=1,
        title="Weakly measured",
        advanced=True,
        description="Details whose squared gain is this part of the largest one count as half "
        "measured.",
    )
    blocks: Literal["default", "published"] = option(
        "default",
        title="Blocks",
        advanced=True,
        description="default: the network of EI. published: as many blocks as there are "
        "iterations, of a step towards the data and six convolutions.",
    )
    iterations: int = option(
        3,
        ge=1,
        le=100,
        title="Iterations",
        advanced=True,
        description="Networks or blocks, one after another.",
    )

    @classmethod
    def published(cls, **more: Any) -> SIAMOptions:
        """Return the released network and losses: 25 blocks, 939,225 parameters in 2D."""
        given: dict[str, Any] = {
            "blocks": "published",
            "iterations": 25,
            "width": 32,
            "batch": 64,
            "learning_rate": 1e-4,
            "split": 0.0,
            "start": "inverse",
            "positive": "off",
            "projection": "exact",
            "gradient": "both",
            "most": 1e6,
            "average": False,
            "orientations": False,
            "begin": 0.0,
        }
        return cls(**(given | more))
