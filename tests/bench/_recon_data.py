"""Objects and instruments of the reconstruction benchmark."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data as skdata
from skimage.transform import resize
from tifffile import imread
from torch import Tensor

from napari_selfsup_recon import Gaussian, Poisson, PoissonGaussian
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission

Images = np.ndarray[Any, np.dtype[np.float32]]
SIGMA = 30.0  # counts
PHOTONS = 1e4
# One of these patients was looked at while the rules of the classical methods were settled.
BASELINES = {"TCGA-17-Z054"}


@dataclass(frozen=True)
class Protocol:
    """Objects in three sets that share nothing, and what measures them.

    Attributes
    ----------
    physics
        The instrument.
    noise
        Of the measurements, None where there is none.
    train, validation, test
        Images ``(n, *image_shape)``, complex ones with two channels.
    options
        Of the networks in the full protocol.
    """

    name: str
    physics: Physics
    noise: Noise | None
    train: Images
    validation: Images
    test: Images
    options: dict[str, Any] = field(default_factory=dict)

    def measured(self, images: Images) -> Images:
        """Return one measurement of each image; its noise never changes."""
        x = torch.from_numpy(images)
        x = x if self.physics.channels else x[:, None]
        rows = []
        for number, image in enumerate(x):
            y: Tensor = self.physics.A(image[None])
            if self.noise is not None:
                seen = self.physics.observed(y)
                y = self.noise.sample(y, torch_generator("recon", self.name, number))
                y = y if seen is None else y * seen
            rows.append(y[0])
        stack = torch.stack(rows)
        return (stack if self.physics.channels else stack[:, 0]).numpy()


def ct_slices(folder: Path, side: int) -> tuple[Images, Images, Images]:
    """Return chest slices in [0, 1], patient by patient in one set only (70, 15 and 15)."""
    images, patients = ct_patients(folder, side)
    names = sorted(set(patients))
    order = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    test, validation = set(order[:9]) - BASELINES, set(order[9:18]) | BASELINES
    chosen = [2 if p in test else 1 if p in validation else 0 for p in patients]
    train, other, last = (images[[c == n for c in chosen]] for n in range(3))
    return train, other, last


def ct_patients(folder: Path, side: int) -> tuple[Images, list[str]]:
    """Return all chest slices in [0, 1], and whose they are."""
    values = imread(folder / "ct" / "ct100_derived_128x128_100slices_HU.tif").astype(np.float32)
    images = scaled(np.clip((values + 1024) / 3072, 0, 1), side)
    with (folder / "ct" / "ct100_meta.csv").open(newline="") as rows:
        return images, [row["patient"] for row in csv.DictReader(rows)]


def scaled(images: Images, side: int) -> Images:
    """Return square images of another side; smaller ones by the mean of whole blocks."""
    old = images.shape[-1]
    if side <= old:
        step = old // side
        blocks = images.reshape(len(images), side, step, side, step)
        return blocks.mean((2, 4)).astype(np.float32)
    shape = (len(images), side, side)
    return np.clip(resize(images, shape, order=3), 0, 1).astype(np.float32)


def sparse_view(folder: Path, full: bool) -> Protocol:
    """EI: CT without noise; 64^2 and 16 views, in full 128^2 and 50 views."""
    side, views = (128, 50) if full else (64, 16)
    physics = ParallelBeam((side, side), np.arange(views) * np.pi / views)
    return Protocol("sparse-view", physics, None, *ct_slices(folder, side), seeds(full))


def low_dose(folder: Path, full: bool) -> Protocol:
    """REI: photon counts behind the same slices; in full 256^2 (interpolated) and 50 views."""
    side, views = (256, 50) if full else (64, 16)
    projector = ParallelBeam((side, side), np.arange(views) * np.pi / views)
    photons = 10 * PHOTONS if full else PHOTONS
    physics = Transmission(projector, I0=photons, attenuation=0.0256 * 64 / side)
    noise = PoissonGaussian(gain=1.0, sigma=SIGMA)
    return Protocol("low-dose", physics, noise, *ct_slices(folder, side), seeds(full))


def missing_pixels(folder: Path, full: bool) -> Protocol:
    """30 % of the pixels missing, photon noise; a stem and a sandstone, then coins and the moon."""
    side = 128 if full else 64

    def crops(image: Images) -> Images:
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2] / np.float32(255)
        half = image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean((1, 3))
        rows, columns = half.shape[0] // side, half.shape[1] // side
        grid = half[: rows * side, : columns * side].reshape(rows, side, columns, side)
        return grid.swapaxes(1, 2).astype(np.float32)

    def filled(stack: Images) -> Images:
        return stack[stack.std((1, 2)) > 0.02]

    train, validation = [], []
    for name in ("microscopy_2d/maize_clsm.tif", "ct/sandstone_microct_1024x996.tif"):
        grid = crops(imread(folder / name))
        train.append(filled(grid[:-1].reshape(-1, side, side)))
        validation.append(filled(grid[-1]))
    test = [
        filled(crops(image).reshape(-1, side, side)) for image in (skdata.coins(), skdata.moon())
    ]
    mask = np.random.default_rng(0).random((side, side)) < 0.7
    sets = (np.concatenate(part) for part in (train, validation, test))
    return Protocol("missing-pixels", Inpainting(mask), Poisson(0.05), *sets, seeds(full))


def head(folder: Path, full: bool) -> Protocol:
    """A quarter of the columns of k-space, Gaussian noise; slices at least 10 apart."""
    volume = imread(folder / "mri" / "mricron_ch2_T1_181x217x181_zyx.tif").astype(np.float32)
    volume = volume[:, :216, :180] / volume.max()
    if not full:
        volume = volume.reshape(181, 108, 2, 90, 2).mean((2, 4))
    rows, columns = (208, 176) if full else (96, 80)
    top, left = (volume.shape[1] - rows) // 2, (volume.shape[2] - columns) // 2
    volume = volume[:, top : top + rows, left : left + columns]
    random = np.random.default_rng(0)
    centre = columns // 12
    mask = np.zeros(columns, bool)
    mask[(columns - centre) // 2 : (columns + centre) // 2] = True
    others = np.flatnonzero(~mask)
    mask[random.choice(others, columns // 4 - int(mask.sum()), replace=False)] = True

    def pick(*ranges: range) -> Images:
        images = np.concatenate([volume[list(r)] for r in ranges])
        return np.stack([images, np.zeros_like(images)], axis=1).astype(np.float32)

    return Protocol(
        "head",
        MRI(np.broadcast_to(mask, (rows, columns))),
        Gaussian(0.05),
        pick(range(20, 60), range(100, 130)),
        pick(range(140, 150)),
        pick(range(70, 90)),
        seeds(full),
    )


def seeds(full: bool) -> dict[str, Any]:
    """Return options of the networks of the papers."""
    return {"network": "unet", "width": 32, "batch": 2, "learning_rate": 5e-4} if full else {}


PROTOCOLS: dict[str, Callable[[Path, bool], Protocol]] = {
    "sparse-view": sparse_view,
    "low-dose": low_dose,
    "missing-pixels": missing_pixels,
    "head": head,
}
