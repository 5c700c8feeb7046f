"""What counts as one in a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What is taken of the phase of complex images: nothing; that it is smooth; and that amplitudes are
#: not negative.
Phase = Literal["free", "signed", "positive"]

#: Where there is next to no noise.
LEAST_TRUST = 0.01


@dataclass(frozen=True)
class Units:
    """What counts as one, so that nothing depends on the units of the data.

    Attributes
    ----------
    image
        Value of the image: networks see and answer images over it.
    measured
        Change of the measurement that a change by one of the image makes, root mean square.
    norm
        Square of the largest singular value of the (linear) operator.
    trust
        How much a guess of the image counts against the measurement, before learning.
    variation
        Weight of the total variation of the image from which the network starts; 0: it starts from
        the classical inverse.
    thorough
        Whether that image takes more rounds, as it does where little is measured.
    phase
        Whether the phase of complex images is taken from the middle of k-space.
    between
        What differences between the slices of a slab count in that variation, against those within.
    """

    image: float
    measured: float
    norm: float
    trust: float = LEAST_TRUST
    variation: float = 0.0
    thorough: bool = False
    phase: Phase = "free"
    between: float = 0.0
