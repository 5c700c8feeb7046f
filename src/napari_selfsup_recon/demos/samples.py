"""Generated images as napari samples: the measurement, its PSF and its truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.simulate._convolve import valid
from napari_selfsup_recon.simulate.phantoms import ellipsoid_scan
from napari_selfsup_recon.simulate.samples import Sample, sample
from napari_selfsup_recon.simulate.scenes import cells_2d as cells
from napari_selfsup_recon.simulate.structured import film_noise

FloatImage = NDArray[np.float32]
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


def unpaired_2d() -> list[LayerData]:
    """Return an image of cells on a mottled film, and clean images of other places (hidden).

    The mottle cannot be told from cells by looking at this image alone.
    """
    name, place = "unpaired_2d", {"units": ("micrometer",) * 2, "scale": (0.1, 0.1)}
    grey = {"colormap": "gray", "contrast_limits": (0, 200)}
    truth = _grey(cells((192, 192)))
    noisy = film_noise(truth, strength=0.6, grain=2.5, speckle=0.2)
    others = np.concatenate([_tiles(_grey(cells((192, 192), seed))) for seed in range(1, 5)])
    examples = {
        "name": f"{name} clean",
        "axis_labels": ("place", "y", "x"),
        "units": ("pixel", "micrometer", "micrometer"),
        "scale": (1, 0.1, 0.1),
        "visible": False,
    }
    plane = {"axis_labels": ("y", "x")} | place | grey
    return [
        (truth, {"name": f"{name} truth", "visible": False} | plane, "image"),
        (others, examples | grey, "image"),
        (noisy, {"name": name} | plane, "image"),
    ]


def large_2d() -> list[LayerData]:
    """Return a large blurred, noisy image of cells, with PSF and truth (both hidden)."""
    like = sample("cells_2d")
    assert like.psf is not None
    scene = 400 * cells((336, 1296))
    edge = like.psf.shape[0] // 2
    light = valid(scene.astype(np.float64), like.psf.astype(np.float64))
    random = numpy_generator("sample", "large_2d")
    counts = random.poisson(light) + random.normal(like.offset, like.read_noise, light.shape)
    large = replace(
        like,
        name="large_2d",
        truth=scene[edge:-edge, edge:-edge],
        measured=np.clip(np.round(counts), 0, 65535).astype(np.uint16),
    )
    return _layers_of(large)


def _grey(scene: FloatImage) -> FloatImage:
    return 20 + 180 * scene


def _tiles(image: FloatImage, side: int = 64) -> FloatImage:
    """Return the square tiles of an image as a stack."""
    rows, columns = (n // side for n in image.shape)
    tiles = image.reshape(rows, side, columns, side).swapaxes(1, 2)
    return tiles.reshape(-1, side, side)


def _layers(name: str) -> list[LayerData]:
    return _layers_of(sample(name))


def _layers_of(made: Sample) -> list[LayerData]:
    """Return the layers of a sample; the measurement is the last one, so that it is selected."""
    name = made.name
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
