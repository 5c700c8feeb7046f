"""Ready-made measurements with their truth and PSF, generated in an instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate._convolve import valid
from napari_selfsup_recon.simulate.defocus import defocus_psf
from napari_selfsup_recon.simulate.scenes import beads_3d, cells_2d, nuclei_3d

SAMPLE_NAMES = ("beads_3d", "nuclei_3d", "cells_2d", "noisy_2d")


@dataclass(frozen=True, eq=False)
class Sample:
    """A measurement whose truth is known: ``measured`` is a camera's count of ``psf * truth``.

    One count is one photon. The expected count is ``psf * truth + offset`` and its variance
    ``psf * truth + read_noise**2``. The scene goes on beyond the border, so light from outside the
    field of view is in it.
    """

    name: str
    truth: NDArray[np.float32]
    """Photons per voxel, without offset."""
    measured: NDArray[np.uint16]
    """Counts, with offset; the shape of the truth."""
    psf: NDArray[np.float32] | None
    """Sum 1, odd sides, centred; ``None`` where there is no blur."""
    axes: tuple[str, ...]
    scale: tuple[float, ...]
    """Voxel size an axis, in ``units``."""
    units: tuple[str, ...]
    offset: float
    """Counts of the camera in the dark."""
    read_noise: float
    """Standard deviation of the counts in the dark."""


def sample(name: str, *, seed: int = 0) -> Sample:
    """Return a generated measurement.

    ``"beads_3d"`` and ``"nuclei_3d"`` are widefield volumes, ``"cells_2d"`` is a blurred image, and
    ``"noisy_2d"`` a sharp one with few photons.

    Parameters
    ----------
    name
        One of :data:`SAMPLE_NAMES`.
    seed
        Of scene and noise.

    Raises
    ------
    InputError
        If there is no such sample.
    """
    if name in ("beads_3d", "nuclei_3d"):
        psf = defocus_psf(
            (17, 21, 21),
            numerical_aperture=1.0,
            wavelength=0.52,
            magnification=60,
            pixel=0.1,
            step=0.2,
        )
        shape = tuple(n + k - 1 for n, k in zip((32, 96, 96), psf.shape, strict=True))
        draw = beads_3d if name == "beads_3d" else nuclei_3d
        photons = 2000.0 if name == "beads_3d" else 400.0
        return _record(
            name, photons * draw((shape[0], shape[1], shape[2]), seed), psf, (0.2, 0.1, 0.1), seed
        )
    if name == "cells_2d":
        psf = _gaussian((17, 17), 2.0)
        return _record(name, 400.0 * cells_2d((272, 272), seed), psf, (0.1, 0.1), seed)
    if name == "noisy_2d":
        return _record(name, 40.0 * cells_2d(seed=seed), None, (0.1, 0.1), seed)
    raise InputError(
        f"There is no sample {name!r}.", hint=f"Choose one of {', '.join(SAMPLE_NAMES)}."
    )


def _record(
    name: str,
    scene: NDArray[np.float32],
    psf: NDArray[np.float64] | None,
    scale: tuple[float, ...],
    seed: int,
    offset: float = 100.0,
    read_noise: float = 2.0,
) -> Sample:
    """Return what the camera sees of the inner part of ``scene``."""
    if psf is None:
        truth, light = scene, scene.astype(np.float64)
    else:
        half = [k // 2 for k in psf.shape]
        truth = scene[tuple(slice(h, n - h) for h, n in zip(half, scene.shape, strict=True))].copy()
        light = valid(scene.astype(np.float64), psf)
    generator = np.random.default_rng([seed, 1])
    counts = generator.poisson(light) + generator.normal(offset, read_noise, light.shape)
    return Sample(
        name=name,
        truth=truth,
        measured=np.clip(np.round(counts), 0, 65535).astype(np.uint16),
        psf=None if psf is None else psf.astype(np.float32),
        axes=("z", "y", "x")[3 - truth.ndim :],
        scale=scale,
        units=("micrometer",) * truth.ndim,
        offset=offset,
        read_noise=read_noise,
    )


def _gaussian(shape: tuple[int, ...], sigma: float) -> NDArray[np.float64]:
    """Return a Gaussian with its centre in the middle pixel and sum 1."""
    axes = np.ix_(*(np.exp(-0.5 * ((np.arange(n) - n // 2) / sigma) ** 2) for n in shape))
    psf = np.prod(np.broadcast_arrays(*axes), axis=0)
    unit: NDArray[np.float64] = psf / psf.sum()
    return unit
