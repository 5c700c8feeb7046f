"""The flags that say what a measurement was made with."""

from __future__ import annotations

import argparse

from napari_selfsup_recon.cli._fields import add_facts
from napari_selfsup_recon.runs.instruments import LABELS, Sampling, Tomograph

# Flags that would say too little, or something else, by the name of their field.
SCAN_FLAGS = {
    "unit": "angle-unit",
    "span": "range",
    "start": "first-angle",
    "pitch": "detector-pitch",
}


def add_instrument(parser: argparse.ArgumentParser) -> None:
    """Add the flags of tomographs and masks to the command that reconstructs."""
    instrument = parser.add_argument_group("instrument")
    instrument.add_argument(
        "--instrument",
        choices=[key for key in LABELS if key != "blur"],
        help="what measured (default: parallel-beam)",
    )
    instrument.add_argument(
        "--keep",
        metavar="STEP,...",
        help="leave out these steps of the preparation of a scan: columns, stripes",
    )
    instrument.add_argument(
        "--trust",
        action="store_true",
        help="also write what to trust of a learned result: OUT_seen, OUT_inferred, OUT_residual "
        "and OUT_spread",
    )
    scan = parser.add_argument_group("scan", "Angles are degrees, columns count from 0.")
    add_facts(scan, Tomograph, "scan", SCAN_FLAGS)
    sampling = parser.add_argument_group("missing pixels and k-space")
    sampling.add_argument(
        "--mask", metavar="FILE", help="other than 0 where something was measured"
    )
    add_facts(sampling, Sampling, "sampling", skip=("mask", "path"))
