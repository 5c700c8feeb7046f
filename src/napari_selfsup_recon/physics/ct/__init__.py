"""Projections of a tomograph made ready: corrected, cleaned, in order. NumPy and SciPy only.

The rotation axis is a column of the detector, counted from 0 and in fractions of a column; where it
is given as an offset, this is ``axis - (columns - 1) / 2``. Angles are degrees here, as people give
them; operators take radians.
"""

from napari_selfsup_recon.physics.ct._angles import (
    Scan,
    Unit,
    angles_in_degrees,
    describe_scan,
    even_angles,
)
from napari_selfsup_recon.physics.ct._axis import Axis, find_axis
from napari_selfsup_recon.physics.ct._columns import dead_columns, repair_columns
from napari_selfsup_recon.physics.ct._flat_field import air_field, flat_field, minus_log
from napari_selfsup_recon.physics.ct._layout import Layout, Order, as_sinograms, find_layout
from napari_selfsup_recon.physics.ct._prepare import SKIPPABLE, Sinograms, prepare
from napari_selfsup_recon.physics.ct._stripes import StripeMethod, remove_stripes

__all__ = [
    "SKIPPABLE",
    "Axis",
    "Layout",
    "Order",
    "Scan",
    "Sinograms",
    "StripeMethod",
    "Unit",
    "air_field",
    "angles_in_degrees",
    "as_sinograms",
    "dead_columns",
    "describe_scan",
    "even_angles",
    "find_axis",
    "find_layout",
    "flat_field",
    "minus_log",
    "prepare",
    "remove_stripes",
    "repair_columns",
]
