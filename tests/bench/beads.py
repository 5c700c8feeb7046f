"""Measure PSFs on simulated beads at four noise levels, and compare their width with the truth.

    tox run -e bench -- beads
    tox run -e bench -- beads --seeds 8 --check

Sixteen beads of different brightness a volume, at places that are no whole voxels; photon noise on
a background of 5 photons and a read noise of 1.5. The error of the width is that of the whole
procedure: beads are found, aligned and averaged without help.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from napari_selfsup_recon.physics import psf
from physics.simulated_beads import MICROSCOPES, PEAKS, simulate

LIMIT = 0.05


def main() -> int:
    """Print a table; with ``--check``, fail where the typical error is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4, help="volumes a row")
    parser.add_argument("--check", action="store_true", help="fail above 5 %%")
    given = parser.parse_args()
    print(f"{'microscope':16} {'photons':>7}  mean error z, y, x (%)   rms (%)  beads  quality")
    worst = 0.0
    for name in MICROSCOPES:
        for peak in PEAKS:
            errors, used, quality = [], [], []
            for seed in range(given.seeds):
                beads = simulate(name, peak, seed=seed)
                found = psf.from_beads(beads.volume, voxel_size=beads.scale)
                errors.append(np.array(found.fwhm) / beads.fwhm - 1)
                used.append(len(found.used))
                quality.append(found.quality or np.nan)
            mean = np.mean(errors, axis=0)
            rms = float(np.sqrt(np.mean(np.square(errors))))
            worst = max(worst, rms)
            print(
                f"{name:16} {peak:7d}  {'  '.join(f'{100 * e:6.1f}' for e in mean)}   "
                f"{100 * rms:7.1f}  {np.mean(used):5.1f}  {np.mean(quality):7.3f}",
                flush=True,
            )
    print(f"largest rms error: {100 * worst:.1f} % (at most {100 * LIMIT:.0f} %)")
    return int(given.check and worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
