"""Volumes: ``tox run -e bench -- volumes [pollen|grid] [--steps N] [--output FOLDER]``.

``pollen``: a confocal volume is blurred by a Gaussian PSF (full width 0.35 um across, 1.0 um along
the axis) and counted with 60 photons at its brightest: Lucy-Richardson at several iterations and
SSI against the truth. ``grid``: a real volume of a few photons a voxel with the mean of four beads
from the same microscope as PSF; there is no truth, so the figure is what there is to see. Both
write a figure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import torch

from napari_selfsup_recon import SSI, Blur, Poisson, RichardsonLucy, SSIOptions, psf
from napari_selfsup_recon.io.volumes import read
from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions
from napari_selfsup_recon.metrics import psnr, ssim

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ITERATIONS = (5, 10, 20, 40)


def main() -> None:
    """Run one or both and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", default=["pollen", "grid"])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=Path("bench-output"))
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data")) / "microscopy_3d"
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark volumes in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    options = SSIOptions(steps=arguments.steps, seed=arguments.seed)
    for name in arguments.which:
        images, scale = {"pollen": pollen, "grid": grid}[name](folder, options)
        figure(images, scale, arguments.output / f"{name}.png")
        print(f"wrote {arguments.output / f'{name}.png'}")


def pollen(folder: Path, options: SSIOptions) -> tuple[dict[str, np.ndarray], tuple[float, ...]]:
    """Simulate, restore and score."""
    scale = (0.3, 0.15, 0.15)
    truth = read(folder / "pollen_32x256x256.tif").frame()
    truth = 60 * (truth - truth.min()) / np.ptp(truth)
    kernel = psf.gaussian((1.0, 0.35, 0.35), scale)
    pad = [((k - 1 - k // 2), k // 2) for k in kernel.shape]
    blur = Blur(kernel, truth.shape)
    extended = torch.from_numpy(np.pad(truth, pad, mode="reflect"))[None, None]
    noise = Poisson(offset=0.0)
    y = noise.sample(blur.A(extended), torch.Generator().manual_seed(0))[0, 0].numpy()
    images = {"truth": truth, "measured": y, **restore(blur, y, options, scale)}
    print(f"pollen 32x256x256, 60 photons, seed 0; SSI {options.steps} steps, seed {options.seed}")
    for name, image in images.items():
        if name != "truth":
            similar = ssim(truth, image, data_range=60.0)
            print(f"{name:>10} {psnr(truth, image, data_range=60.0):6.2f} dB  SSIM {similar:.3f}")
    return images, scale


def grid(folder: Path, options: SSIOptions) -> tuple[dict[str, np.ndarray], tuple[float, ...]]:
    """Restore a real volume with the mean bead of the same microscope."""
    scale = (0.125, 0.022, 0.022)
    beads = read(folder / "confocal_beads_41x150x150.tif").frame()
    centres = ((23, 82, 76), (23, 36, 126), (23, 73, 30), (23, 112, 45))
    half = (8, 16, 16)
    cut = [
        beads[tuple(slice(c - h, c + h + 1) for c, h in zip(centre, half, strict=True))]
        for centre in centres
    ]
    y = read(folder / "confocal_grid_lowphoton_21x150x150.tif").frame()
    prepared = psf.prepare(np.mean(cut, axis=0), image_shape=y.shape)
    for finding in prepared.findings:
        print(f"  PSF: {finding.message}")
    images = {"measured": y, **restore(Blur(prepared.psf, y.shape), y, options, scale)}
    return images, scale


def restore(
    blur: Blur, y: np.ndarray, options: SSIOptions, scale: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Return Lucy-Richardson at several iterations and SSI."""
    images = {}
    for n in ITERATIONS:
        method = RichardsonLucy(blur, RichardsonLucyOptions(iterations=n))
        images[f"LR {n}"] = method.reconstruct(y)
    began = time.perf_counter()
    ssi = SSI(blur, options, voxel_size=scale).fit(y, progress=False)
    images["SSI"] = ssi.reconstruct(y)
    print(
        f"SSI: {time.perf_counter() - began:.0f} s, best step {ssi.best_step}, scores "
        + ", ".join(f"{name} {value:.4f}" for name, value in ssi.scores.items())
    )
    return images


def figure(images: dict[str, np.ndarray], scale: tuple[float, ...], path: Path) -> None:
    """Draw the brightest plane and a section along the axis of each."""
    first = next(iter(images.values()))
    plane = int(first.mean((1, 2)).argmax())
    row = int(first.mean((0, 2)).argmax())
    high = float(np.quantile(first, 0.999))
    drawn, axes = plt.subplots(2, len(images), figsize=(2.6 * len(images), 4.4), squeeze=False)
    for column, (name, image) in enumerate(images.items()):
        axes[0, column].imshow(image[plane], cmap="gray", vmin=0, vmax=high)
        axes[1, column].imshow(
            image[:, row], cmap="gray", vmin=0, vmax=high, aspect=scale[0] / scale[2]
        )
        axes[0, column].set_title(name, fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    drawn.tight_layout()
    drawn.savefig(path, dpi=110)
    plt.close(drawn)


if __name__ == "__main__":
    main()
