"""Objects and instruments of the SIAM benchmark that others do not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _recon_data import Images, Protocol, head, low_dose, missing_pixels, sparse_view
from skimage import data as skdata
from skimage.io import imread

from napari_selfsup_recon import Gaussian, Poisson
from napari_selfsup_recon.core.random import numpy_generator, torch_generator
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.compressed_sensing import CompressedSensing
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.noise import Noise

Group = tuple[Physics, Images]
SIGMA = 10 / 255
SHARE = 0.5
BLOCK = 33
ROWS = 109
CROPS = 24  # of each image


@dataclass(frozen=True)
class Trial:
    """Images to learn from behind one instrument, and others behind their own.

    Attributes
    ----------
    learn
        The instrument and the images of the training.
    validation, test
        Groups of images, each behind one instrument.
    noise
        Of all measurements.
    options
        Of the networks.
    """

    name: str
    learn: Group
    validation: Sequence[Group]
    test: Sequence[Group]
    noise: Noise | None
    options: dict[str, Any] = field(default_factory=dict)

    def measured(self, group: Group, salt: str) -> Images:
        """Return one measurement of each image of a group; its noise never changes."""
        physics, images = group
        x = torch.from_numpy(np.ascontiguousarray(images))
        y = physics.A(x if physics.channels else x[:, None])
        if self.noise is not None:
            observed = physics.observed(y)
            y = self.noise.sample(y, torch_generator("siam", self.name, salt))
            y = y if observed is None else y * observed
        return (y if physics.channels else y[:, 0]).numpy()


def wrapped(protocol: Protocol) -> Trial:
    """Return a protocol of the reconstruction benchmark as a trial."""
    physics = protocol.physics
    return Trial(
        protocol.name,
        (physics, protocol.train),
        [(physics, protocol.validation)],
        [(physics, protocol.test)],
        protocol.noise,
        protocol.options,
    )


def masked(name: str, folder: Path, full: bool, noise: Noise) -> Trial:
    """Half of the pixels of each image, another half each; a stem and a sandstone to learn from."""
    protocol = missing_pixels(folder, full)

    def group(images: Images, salt: str) -> Group:
        shape = (len(images), 1, *images.shape[1:])
        return Inpainting(numpy_generator("siam", name, salt).random(shape) < SHARE), images

    sets = ("train", "validation", "test")
    learn, validation, test = (group(getattr(protocol, part), part) for part in sets)
    return Trial(name, learn, [validation], [test], noise, protocol.options)


def neighbours(folder: Path, full: bool) -> Trial:
    """Half of the pixels of each slice of a stack, another half each; white noise."""
    stack = np.asarray(imread(folder / "em/fibsem_medulla_80x250x250.tif"), np.float32) / 255
    if not full:
        stack = stack[:, 96:160, 96:160]

    def group(first: int, last: int) -> Group:
        images = np.ascontiguousarray(stack[first:last])
        shape = (len(images), 1, *images.shape[1:])
        return Inpainting(numpy_generator("siam", "slices", first).random(shape) < SHARE), images

    # Some slices between the sets are left out.
    sets = group(0, 52), [group(56, 66)], [group(70, 80)]
    return Trial("slices", *sets, Gaussian(SIGMA))


def compressed(folder: Path, full: bool) -> Trial:
    """A tenth of the values of blocks of 33 by 33; micrographs to learn from, photographs to test.

    In the small protocol four blocks at a time are learned from, so that what crosses their border
    is learned as well; in the full one, as published, one.
    """
    draw = numpy_generator("siam", "sensing")
    matrix = np.linalg.qr(draw.standard_normal((BLOCK**2, ROWS)))[0].T
    side = BLOCK if full else 2 * BLOCK
    count = 88_912 if full else None
    images = [np.asarray(imread(path), np.float32) for path in pictures(folder)]
    images = [image / image.max() for image in images]
    # The last rows of each image are for the choice of options.
    learn = crops([image[: -6 * BLOCK] for image in images], side, count)
    chosen = [image[-6 * BLOCK :, : 6 * BLOCK] for image in images]
    groups = [sensed(matrix, np.stack(chosen))]
    tests = [
        sensed(matrix, whole_blocks(np.asarray(image, np.float32) / 255)[None])
        for image in (skdata.camera(), skdata.coins(), skdata.moon())
    ]
    options: dict[str, Any] = {"held_out": 0.04}
    if full:
        options |= {"held_out": 0.001, "steps": 400 * -(-len(learn) // 64), "published": True}
    return Trial(
        "cs",
        sensed(matrix, learn),
        groups,
        tests,
        Gaussian(SIGMA),
        options,
    )


def sensed(matrix: Images, images: Images) -> Group:
    """Return images behind the sensing of their blocks."""
    return CompressedSensing(matrix, block=BLOCK, shape=images.shape[1:]), images


def whole_blocks(image: Images) -> Images:
    """Return an image without what is left of its last blocks."""
    rows, columns = (n // BLOCK * BLOCK for n in image.shape)
    return image[:rows, :columns]


def pictures(folder: Path) -> list[Path]:
    """Return the clean images to learn from."""
    found = sorted((folder / "microscopy_2d").glob("ssi_*.png"))
    return [
        *found,
        folder / "microscopy_2d/maize_clsm.tif",
        folder / "ct/sandstone_microct_1024x996.tif",
    ]


def crops(images: Sequence[Images], side: int, count: int | None) -> Images:
    """Return random crops that are not empty, equally many of each image."""
    draw = numpy_generator("siam", "crops", side)
    each = CROPS if count is None else -(-count // len(images))
    found = []
    for image in images:
        kept = 0
        while kept < each:
            row, column = (int(draw.integers(n - side + 1)) for n in image.shape)
            crop = image[row : row + side, column : column + side]
            if crop.std() > 0.02:
                found.append(crop)
                kept += 1
    stack = np.stack(found)[draw.permutation(len(found))]
    return np.ascontiguousarray(stack[:count])


TRIALS: dict[str, Callable[[Path, bool], Trial]] = {
    "sparse-view": lambda folder, full: wrapped(sparse_view(folder, full)),
    "low-dose": lambda folder, full: wrapped(low_dose(folder, full)),
    "masks": lambda folder, full: masked("masks", folder, full, Gaussian(SIGMA)),
    "slices": neighbours,
    "cs": compressed,
    "head": lambda folder, full: wrapped(head(folder, full)),
    "photons": lambda folder, full: masked("photons", folder, full, Poisson(0.05)),
}
