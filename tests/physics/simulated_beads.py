"""Volumes with beads whose PSF is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from napari_selfsup_recon.physics import psf

FINER = 5
PEAKS = (1000, 300, 100, 50)
"""Photons in the brightest voxel of a typical bead: the four noise levels."""

MICROSCOPES = {
    "widefield 1.2": (psf.Microscope(), (0.2, 0.1, 0.1)),
    "widefield 0.8": (psf.Microscope(numerical_aperture=0.8), (0.4, 0.12, 0.12)),
    "confocal 1.2": (psf.Microscope(kind="confocal"), (0.12, 0.06, 0.06)),
    "light-sheet 0.8": (
        psf.Microscope(kind="light-sheet", numerical_aperture=0.8),
        (0.4, 0.12, 0.12),
    ),
}


@dataclass(frozen=True)
class Beads:
    """A noisy volume, where its beads are, and what their PSF is."""

    volume: np.ndarray
    clean: np.ndarray
    positions: np.ndarray
    fwhm: tuple[float, ...]
    scale: tuple[float, ...]


@cache
def fine_psf(name: str) -> tuple[np.ndarray, tuple[float, ...], tuple[float, ...]]:
    """Return the PSF with voxels 5 times finer, its true FWHM on coarse pixels, and their size."""
    microscope, scale = MICROSCOPES[name]
    fine = tuple(s / FINER for s in scale)
    shape = (FINER * 20 + 1, FINER * 20 + 1, FINER * 20 + 1)
    kernel = psf.theoretical(microscope, shape=shape, voxel_size=fine)
    for axis in (1, 2):  # a pixel collects what falls on all of it
        kernel = ndimage.uniform_filter1d(kernel, FINER, axis=axis, mode="constant")
    return kernel, psf.fwhm(kernel, fine), scale


def simulate(
    name: str,
    peak: float,
    *,
    count: int = 16,
    shape: tuple[int, int, int] = (36, 150, 150),
    background: float = 5.0,
    read_noise: float = 1.5,
    seed: int = 0,
) -> Beads:
    """Return beads at random places and of random brightness (0.6 to 1.4 of ``peak``)."""
    rng = np.random.default_rng(seed)
    kernel, fwhm, scale = fine_psf(name)
    positions: list[np.ndarray] = []
    low = np.array([13.0, 14.0, 14.0])
    while len(positions) < count:
        place = rng.uniform(low, np.array(shape) - 1 - low)
        place = np.round(place * FINER) / FINER
        if all(np.linalg.norm((place - p)[1:]) > 26 for p in positions):
            positions.append(place)
    clean = np.zeros(shape)
    for place in positions:
        clean += rng.uniform(0.6, 1.4) * at(kernel, place, shape)
    clean = peak * clean / kernel.max() + background
    noisy = rng.poisson(clean) + rng.normal(0, read_noise, shape)
    return Beads(noisy.astype(np.float32), clean, np.array(positions), fwhm, scale)


def at(fine: np.ndarray, place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the coarse image of a point at ``place`` (whole fifths of voxels)."""
    index = []
    for p, n, size in zip(place, fine.shape, shape, strict=True):
        index.append(np.round((np.arange(size) - p) * FINER).astype(int) + n // 2)
    inside = [(i >= 0) & (i < n) for i, n in zip(index, fine.shape, strict=True)]
    image = fine[np.ix_(*(np.clip(i, 0, n - 1) for i, n in zip(index, fine.shape, strict=True)))]
    for axis, ok in enumerate(inside):
        image = image * ok.reshape([-1 if a == axis else 1 for a in range(3)])
    return image
