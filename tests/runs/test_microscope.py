"""Metadata of many kinds, and the microscope in them."""

from __future__ import annotations

from typing import Any

import pytest

from napari_selfsup_recon.physics.psf import Microscope
from napari_selfsup_recon.runs.microscope import read_microscope

OME = """<?xml version="1.0"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
  <Instrument><Objective ID="Objective:0" LensNA="1.4" Immersion="Oil"/></Instrument>
  <Image><Pixels><Channel AcquisitionMode="LaserScanningConfocalMicroscopy"
    EmissionWavelength="0.61" EmissionWavelengthUnit="\u00b5m" ExcitationWavelength="561"/>
    <Channel EmissionWavelength="700"/></Pixels></Image>
</OME>"""


class OmeTypes:
    """An object as ome_types makes them."""

    def model_dump(self) -> dict[str, Any]:
        return {"instruments": [{"objectives": [{"lens_na": 0.75, "immersion": "Air"}]}]}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, {}),
        (None, {}),
        (
            {"ome": OME},
            {
                "numerical_aperture": 1.4,
                "immersion_index": 1.518,
                "wavelength": 610.0,
                "excitation": 561.0,
                "kind": "confocal",
            },
        ),
        ({"ome_types": OmeTypes()}, {"numerical_aperture": 0.75, "immersion_index": 1.0}),
        (
            {"omero": {"channels": [{"emission_wavelength": 520}, {"emission_wavelength": 600}]}},
            {"wavelength": 520.0},
        ),
        ({"EmissionWavelength": 520, "EmissionWavelengthUnit": "nm"}, {"wavelength": 520.0}),
        ({"EmissionWavelength": 5.2}, {}),  # of no length that light has
        ({"NumericalAperture": "1.49"}, {"numerical_aperture": 1.49, "immersion_index": 1.518}),
        ({"NumericalAperture": "unknown", "note": "<not xml"}, {}),
        ({"ContrastMethod": "x", "AcquisitionMode": "SPIM"}, {"kind": "light-sheet"}),
    ],
)
def test_what_is_said_is_found(metadata: Any, expected: dict[str, Any]) -> None:
    found = read_microscope(metadata)
    assert found == pytest.approx(expected)
    Microscope(**found)  # and accepted


def test_endless_metadata_end() -> None:
    loop: dict[str, Any] = {"NumericalAperture": 1.2}
    loop["again"] = loop
    assert read_microscope(loop)["numerical_aperture"] == 1.2
