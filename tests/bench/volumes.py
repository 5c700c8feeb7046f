"""Volumes: ``tox run -e bench -- volumes [pollen|nuclei|grid|lls] [--steps N] [--output FOLDER]``.

``pollen`` and ``nuclei``: confocal volumes stand for the truth, are blurred by the theoretical PSF
of a widefield microscope (NA 1.2, water, 520 nm, their voxel size), and recorded with Poisson noise
of 100 photons at the brightest expected voxel and read noise of 3; Lucy-Richardson, total variation
and SSI against the truth. ``grid``: a few photons a voxel, and the PSF from beads of the same
microscope. ``lls``: a raw lattice light-sheet stack, and its measured PSF brought to the sheared
grid of the stack. The last two have no truth: methods are compared on held-out voxels that chose
nothing. Each writes a figure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from napari_selfsup_recon import (
    SSI,
    Blur,
    PoissonGaussian,
    RichardsonLucy,
    RichardsonLucyOptions,
    SSIOptions,
    TotalVariation,
    TotalVariationOptions,
    psf,
)
from napari_selfsup_recon.core.events import Done
from napari_selfsup_recon.io.volumes import read
from napari_selfsup_recon.losses.robust import huber
from napari_selfsup_recon.methods.base import Method
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.physics.base import as_physics
from napari_selfsup_recon.physics.neighbours import fill, surroundings
from napari_selfsup_recon.physics.noise_estimate import estimate_noise

matplotlib.use("Agg")
from matplotlib import pyplot as plt

TRUTHS = {
    "pollen": ("pollen_32x256x256.tif", (0.3, 0.15, 0.15)),
    "nuclei": ("nuclei_cells3d_60x256x256.tif", (0.29, 0.26, 0.26)),
}
PSF_SHAPE = (31, 65, 65)
PHOTONS, READ_NOISE = 100.0, 3.0
BY_TRUTH = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 112)


def main() -> None:
    """Run some or all and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", default=[*TRUTHS, "grid", "lls"])
    parser.add_argument("--steps", type=int, default=100)
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
        print(f"{name}: SSI {options.steps} steps, seed {options.seed}, torch {torch.__version__}")
        if name in TRUTHS:
            images, scale = simulated(name, folder, options)
        else:
            images, scale = {"grid": grid, "lls": lls}[name](folder, options)
        figure(images, scale, arguments.output / f"{name}.png")
        print(f"wrote {arguments.output / f'{name}.png'}", flush=True)


def simulated(
    name: str, folder: Path, options: SSIOptions
) -> tuple[dict[str, np.ndarray], tuple[float, ...]]:
    """Blur and spoil a volume, restore and score it; print a row a method."""
    file, scale = TRUTHS[name]
    truth = read(folder / file).frame().astype(np.float64)
    truth = np.clip(truth - np.quantile(truth, 0.001), 0, None)
    microscope = psf.Microscope(numerical_aperture=1.2, immersion_index=1.33, wavelength=520.0)
    kernel = psf.theoretical(microscope, shape=PSF_SHAPE, voxel_size=scale)
    blur = Blur(kernel, truth.shape)
    pad = [(k - 1 - k // 2, k // 2) for k in kernel.shape]
    extended = np.pad(truth, pad, mode="reflect").astype(np.float32)
    clean = blur.A(torch.from_numpy(extended)[None, None])
    photons = PHOTONS / float(clean.max())
    truth = (truth * photons).astype(np.float32)
    noise = PoissonGaussian(gain=1.0, sigma=READ_NOISE)
    generator = torch.Generator().manual_seed(0)
    y = noise.sample(clean * photons, generator)[0, 0].numpy()
    top = float(truth.max())

    def tell(label: str, image: np.ndarray, more: str = "") -> None:
        figures = psnr(truth, image, data_range=top), ssim(truth, image, data_range=top)
        print(f"{label:>16} {figures[0]:7.2f} dB  SSIM {figures[1]:.3f}  {more}", flush=True)

    tell("measured", y)
    images = {"truth": truth, "measured": y}
    images["LR auto"], more = timed(
        RichardsonLucy(blur, RichardsonLucyOptions(iterations="auto")), y
    )
    tell("LR auto", images["LR auto"], more)
    best = max(by_truth(blur, y, truth, top))
    print(f"{'LR best by truth':>16} {best[0]:7.2f} dB  at {best[1]} iterations")
    images["TV auto"], more = timed(
        TotalVariation(blur, TotalVariationOptions(), voxel_size=scale), y
    )
    tell("TV auto", images["TV auto"], more)
    images["SSI"], more = timed(SSI(blur, options, voxel_size=scale), y)
    tell("SSI", images["SSI"], more)
    return images, scale


def by_truth(blur: Blur, y: np.ndarray, truth: np.ndarray, top: float) -> list[tuple[float, int]]:
    """Return the PSNR of Lucy-Richardson at some iterations."""
    rows = []
    for n in BY_TRUTH:
        image = RichardsonLucy(blur, RichardsonLucyOptions(iterations=n)).reconstruct(y)
        rows.append((psnr(truth, image, data_range=top), n))
        if len(rows) > 2 and rows[-1][0] < rows[-2][0] < rows[-3][0]:
            break
    return rows


def grid(folder: Path, options: SSIOptions) -> tuple[dict[str, np.ndarray], tuple[float, ...]]:
    """Restore a real volume with the PSF from beads of the same microscope."""
    scale = (0.125, 0.022, 0.022)
    beads = psf.from_beads(read(folder / "confocal_beads_41x150x150.tif").frame(), voxel_size=scale)
    y = read(folder / "confocal_grid_lowphoton_21x150x150.tif").frame()
    return real(psf.prepare(beads.psf, image_shape=y.shape), y, options, scale), scale


def lls(folder: Path, options: SSIOptions) -> tuple[dict[str, np.ndarray], tuple[float, ...]]:
    """Restore a raw, sheared stack with its PSF brought to the same shear."""
    scale = (0.157, 0.1015, 0.1015)
    y = read(folder / "lls_raw_crop_88x256x192.tif").frame()
    recorded = read(folder / "lls_psf_measured_61x128x128.tif").frame()
    straight = psf.prepare(recorded, image_shape=recorded.shape).psf
    sheared, told = psf.to_sheared_grid(
        straight, (0.1, 0.1015, 0.1015), plane_spacing=scale[0], shift=-2.52, axis="x"
    )
    print(f"  PSF: {told.message}")
    return real(psf.prepare(sheared, image_shape=y.shape, keep=0.98), y, options, scale), scale


def real(
    prepared: psf.Prepared, y: np.ndarray, options: SSIOptions, scale: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Restore a volume without a truth; score methods on voxels that none of them has seen."""
    for finding in prepared.findings:
        print(f"  PSF: {finding.message}")
    y = y.astype(np.float32)
    blur = Blur(prepared.psf, y.shape)
    noise = estimate_noise(y, psf=prepared.psf)
    print(f"  noise: {noise}")
    background = max(noise.offset, 0.0)
    chosen = RichardsonLucyOptions(iterations="auto", background=background)
    method = RichardsonLucy(blur, chosen)
    began = time.perf_counter()
    done = next(event for event in method.run(y) if isinstance(event, Done))
    print(f"{'LR auto':>8}: {done.step} iterations, {time.perf_counter() - began:.0f} s")
    ssi = SSI(blur, options, voxel_size=scale)
    restored, more = timed(ssi, y)
    print(f"{'SSI':>8}: {more}")
    mask, predicted = ssi.held_out(y)
    # The same voxels hidden from Lucy-Richardson, which keeps its iterations.
    roles = hidden_from(ssi, y)
    told = masked_lucy_richardson(blur, y, roles, done.step, background)
    items = torch.from_numpy(y)[None, None]
    level = surroundings(fill(items, torch.from_numpy(roles)[None, None]))
    sigma = noise.deviation(level)[0, 0].numpy()
    sigma = np.maximum(sigma, max(noise.sigma, noise.gain, 1e-6))
    for label, expected in (("LR auto", told), ("SSI", predicted)):
        residual = torch.from_numpy(((expected - y) / sigma)[mask])
        robust, square = float(huber(residual, 1.5).mean()), float(residual.square().mean())
        # A handful of photons is not spread evenly about its mean: there squares alone are fair.
        score = square if noise.coarse else robust
        print(f"{label:>8}: held-out score {score:.4f} (squared {square:.4f}, robust {robust:.4f})")
    return {"measured": y, "LR auto": done.result, "SSI": restored}


def hidden_from(ssi: SSI, y: np.ndarray) -> np.ndarray:
    """Return all voxels that the training never saw, those that chose included."""
    from napari_selfsup_recon.methods.ssi._problem import draw_roles

    roles = draw_roles((1, 1, *y.shape), ssi.options.held_out, ssi.options.seed)
    return (roles > 0).numpy().reshape(y.shape)


def masked_lucy_richardson(
    blur: Blur, y: np.ndarray, hidden: np.ndarray, iterations: int, background: float
) -> np.ndarray:
    """Return what Lucy-Richardson predicts everywhere from the voxels that are not hidden."""
    seen = torch.from_numpy(~hidden)[None, None].float()

    class Masked:
        def A(self, x: torch.Tensor) -> torch.Tensor:
            return seen * blur.A(x)

        def A_adjoint(self, v: torch.Tensor) -> torch.Tensor:
            return blur.A_adjoint(seen * v)

        A_dagger = A_adjoint

    from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration

    light = torch.from_numpy(y) - background
    work = Iteration(
        as_physics(Masked(), blur.image_shape, blur.measurement_shape),
        (light.clamp_min(0) * seen[0, 0]),
        background=0.0,
        accelerate=False,
    )
    while work.count < iterations:
        for _ in work.step():
            pass
    return (blur.A(work.estimate[None, None])[0, 0] + background).numpy()


def timed(method: Method, y: np.ndarray) -> tuple[np.ndarray, str]:
    """Train where there is something to train, reconstruct, and say what was chosen."""
    began = time.perf_counter()
    if isinstance(method, SSI):
        method.fit(y, progress=False)
    trained = time.perf_counter()
    image = method.reconstruct(y)
    seconds = time.perf_counter() - trained
    facts: list[Any] = []
    if isinstance(method, SSI):
        scores = ", ".join(f"{key} {value:.4f}" for key, value in method.scores.items())
        facts = [f"step {method.best_step}, scores {scores}, {trained - began:.0f} s +"]
    elif isinstance(method, TotalVariation):
        facts = [f"weight {method.weight:.3g},"]
    return image, " ".join([*facts, f"{seconds:.0f} s"])


def figure(images: dict[str, np.ndarray], scale: tuple[float, ...], path: Path) -> None:
    """Draw the brightest plane and a section along the axis of each."""
    first = next(iter(images.values()))
    plane = int(first.mean((1, 2)).argmax())
    row = int(first.mean((0, 2)).argmax())
    alike = "truth" in images
    drawn, axes = plt.subplots(2, len(images), figsize=(2.9 * len(images), 4.0), squeeze=False)
    for column, (name, image) in enumerate(images.items()):
        low, high = (float(np.quantile(first if alike else image, q)) for q in (0.01, 0.999))
        axes[0, column].imshow(image[plane], cmap="gray", vmin=low, vmax=high)
        axes[1, column].imshow(
            image[:, row], cmap="gray", vmin=low, vmax=high, aspect=scale[0] / scale[2]
        )
        axes[0, column].set_title(name, fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    drawn.tight_layout()
    drawn.savefig(path, dpi=110)
    plt.close(drawn)


if __name__ == "__main__":
    main()
