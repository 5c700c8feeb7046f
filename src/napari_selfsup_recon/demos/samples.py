"""Generated images as napari samples: the measurement, its PSF and its truth."""

from __future__ import annotations

from typing import Any

from napari_selfsup_recon.simulate.phantoms import ellipsoid_scan
from napari_selfsup_recon.simulate.samples import sample

LayerData = tuple[Any, dict[str, Any], str]
OFFSET_KEY = "offset"


def beads_3d() -> list[LayerData]:
    """Return blurred, noisy beads as a volume, with PSF and truth (both hidden)."""
    return _layers("beads_3d")


def nuclei_3d() -> list[LayerData]:
    """Return blurred, noisy nuclei as a volume, with PSF and truth (both hidden)."""
    return _layers("nuclei_3d")


def cells_2d() -> list[LayerData]:
    """Return a blurred, noisy image of cells, with PSF and truth (both hidden)."""
    return _layers("cells_2d")


def noisy_2d() -> list[LayerData]:
    """Return a sharp image of cells with few photons, with its truth (hidden)."""
    return _layers("noisy_2d")


def sparse_ct() -> list[LayerData]:
    """Return the sinograms of 12 slices from 20 views, with their angles, and the truth (hidden).

    The rotation axis is not in the middle of the detector.
    """
    scan = ellipsoid_scan(20, size=64)
    place: dict[str, Any] = {
        "scale": (scan.pixel,) * 3,
        "units": ("micrometer",) * 3,
        "colormap": "gray",
    }
    truth = {
        "name": "sparse_ct truth",
        "visible": False,
        "axis_labels": ("z", "y", "x"),
        "contrast_limits": (0, 0.026),
    }
    facts = {
        "name": "sparse_ct",
        "axis_labels": ("slice", "angle", "column"),
        "metadata": {"theta_deg": scan.degrees.tolist()},
    }
    return [(scan.truth, truth | place, "image"), (scan.sinograms, facts | place, "image")]


def _layers(name: str) -> list[LayerData]:
    """Return the layers of a sample; the measurement is the last one, so that it is selected."""
    made = sample(name)
    place: dict[str, Any] = {
        "scale": made.scale,
        "units": made.units,
        "axis_labels": made.axes,
        "colormap": "gray",
    }
    layers: list[LayerData] = [
        (made.truth, {"name": f"{name} truth", "visible": False, **place}, "image")
    ]
    if made.psf is not None:
        layers.append((made.psf, {"name": f"{name} PSF", "visible": False, **place}, "image"))
    facts = {OFFSET_KEY: made.offset, "read_noise": made.read_noise}
    layers.append((made.measured, {"name": name, "metadata": facts, **place}, "image"))
    return layers
