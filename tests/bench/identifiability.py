"""What the meter says of usual instruments, and how long it takes.

Run: python tests/bench/identifiability.py [--side 256] [--threads 1]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from napari_selfsup_recon import MRI, Blur, Inpainting, ParallelBeam, psf
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms import Reflect, Rotate, Scale, Shift
from napari_selfsup_recon.transforms.identifiability import identifiability

GROUPS = {"shift": Shift(), "reflect": Reflect(), "rotate": Rotate(), "scale": Scale()}


def instruments(side: int) -> dict[str, Physics]:
    random = np.random.default_rng(0)
    columns = np.zeros(side, bool)
    columns[side // 2 - side // 40 : side // 2 + side // 40] = True
    columns[random.choice(side, side // 5, replace=False)] = True
    shape = (side, side)
    return {
        "CT, 50 views": ParallelBeam(shape, np.arange(50) * np.pi / 50),
        "CT, 120 of 180 degrees": ParallelBeam(shape, np.arange(80) * np.pi / 120),
        "half of the pixels": Inpainting(random.random(shape) > 0.5),
        "MRI, a quarter": MRI(np.broadcast_to(columns, shape)),
        "round blur": Blur(psf.gaussian((4.0, 4.0), (1.0, 1.0)), shape),
        "oblong blur": Blur(psf.gaussian((6.0, 2.0), (1.0, 1.0)), shape),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{'':24}{'alone':>8}" + "".join(f"{name:>16}" for name in GROUPS))
    for name, physics in instruments(arguments.side).items():
        cells = []
        for transform in GROUPS.values():
            start = time.process_time()
            found = identifiability(
                physics, transform, torch.Generator().manual_seed(0), propose=False
            )
            seconds = time.process_time() - start
            cells.append(f"{found.share:8.2f} {seconds:5.1f} s")
        print(f"{name:24}{found.alone:8.2f}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
