"""What is printed on the objective: the parameters that a theoretical PSF needs."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from napari_selfsup_recon.core.options import Options, option

Kind = Literal["widefield", "confocal", "light-sheet"]
Model = Literal["scalar", "vectorial"]

SHORTEST, LONGEST = 150.0, 2500.0  # nm, of light that microscopes use


class Microscope(Options):
    """The microscope that a theoretical PSF is computed for.

    Raises
    ------
    pydantic.ValidationError
        If a value is out of range, a wavelength is in other units than nanometers, or the
        numerical aperture is not below the refractive index of the immersion; with the way out.
    """

    kind: Kind = option(
        "widefield",
        title="Microscope",
        description="Widefield: the whole sample is lit and seen by a camera. Confocal: a focus "
        "is scanned and seen through a pinhole. Light-sheet: a thin sheet is lit and seen from the "
        "side.",
    )
    numerical_aperture: float = option(
        1.2,
        gt=0,
        le=1.7,
        title="Numerical aperture",
        description="NA of the objective that collects the light, as printed on it "
        "(the 1.2 of 60x/1.2).",
    )
    immersion_index: float = option(
        1.33,
        ge=1.0,
        le=1.8,
        title="Immersion index",
        description="Refractive index of what is between objective and cover glass: air 1.0, water "
        "1.33, glycerol 1.45, oil 1.518.",
    )
    wavelength: float = option(
        520.0,
        ge=SHORTEST,
        le=LONGEST,
        title="Emission wavelength",
        unit="nm",
        description="Wavelength of the light that is detected: the middle of the emission filter.",
    )
    excitation: float = option(
        488.0,
        ge=SHORTEST,
        le=LONGEST,
        title="Excitation wavelength",
        unit="nm",
        description="Wavelength of the laser. Used for confocal microscopes alone.",
    )
    pinhole: float = option(
        1.0,
        ge=0,
        le=100,
        title="Pinhole",
        unit="Airy units",
        description="Diameter of the pinhole of a confocal microscope; 1 Airy unit is "
        "1.22 emission wavelengths / NA.",
    )
    sheet_fwhm: float = option(
        2.0,
        gt=0,
        le=1000,
        title="Sheet thickness",
        unit="µm",
        description="Full width at half maximum of the sheet of light across its plane. Used for "
        "light-sheet microscopes alone.",
    )
    model: Model = option(
        "vectorial",
        title="Model of light",
        advanced=True,
        description="Vectorial takes polarisation into account, which widens the PSF of apertures "
        "above about 0.9; scalar is the textbook formula.",
    )
    sample_index: float | None = option(
        None,
        ge=1.0,
        le=1.8,
        title="Sample index",
        advanced=True,
        description="Refractive index of the sample's medium; auto is that of the immersion. "
        "Another one blurs the image more the deeper the focus lies.",
    )
    depth: float = option(
        0.0,
        ge=0,
        le=500,
        title="Depth",
        unit="µm",
        advanced=True,
        description="Distance of what is imaged from the cover glass. It matters only where sample "
        "and immersion have different refractive indices.",
    )

    @field_validator("wavelength", "excitation", mode="before")
    @classmethod
    def _in_nanometers(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        for factor, unit in ((1e3, "micrometers"), (1e9, "meters"), (0.1, "ångström")):
            if not SHORTEST <= value <= LONGEST and SHORTEST <= value * factor <= LONGEST:
                raise ValueError(
                    f"that looks like {unit}, and wavelengths are in nanometers; "
                    f"write {value * factor:g}"
                )
        return value

    @field_validator("immersion_index")
    @classmethod
    def _above_aperture(cls, value: float, info: ValidationInfo) -> float:
        aperture = info.data.get("numerical_aperture")
        if aperture is not None and math.isfinite(aperture) and aperture >= value:
            raise ValueError(
                f"a numerical aperture of {aperture:g} is only possible above an index of "
                f"{aperture:g}; {_immersion_for(aperture)}"
            )
        return value

    @property
    def mismatched(self) -> bool:
        """Whether sample and immersion differ where it matters: below the cover glass."""
        return self.sample_index not in (None, self.immersion_index)


def _immersion_for(aperture: float) -> str:
    for largest, index, name in ((0.98, 1.0, "air"), (1.27, 1.33, "water"), (1.5, 1.518, "oil")):
        if aperture <= largest:
            return f"objectives of that aperture are made for {name} ({index:g})"
    return "objectives of that aperture are made for special oils (1.78)"
