"""What a step of ISCL costs: ``... bench -- iscl_cost``.

    tox run -e bench -- iscl_cost [--only slice|neighbours|volume|published ...] [--steps N]
                                  [--threads N] [--device cpu|cuda] [--batch N]

``slice``, ``neighbours`` and ``volume`` are the default networks on single slices (8 crops of 64 x
64), with the slices around (2.5D), and in 3D (2 blocks of 8 slices). ``critics`` is ``slice`` after
the warm-up with critics. ``published`` are the five networks and three steps of the paper on 64
crops of 64 x 64; ``--batch`` takes fewer.

FLOP are those of convolutions, forward and backward (an addition and a multiplication each count),
counted by ``torch.utils.flop_counter`` on one step; those of the published step on two crops, since
they grow with the batch. Each setting runs in a process of its own; memory is the most that is
resident above what was before networks and data were made, on a GPU the most that torch allocated.
Seconds are medians of N steps (one for ``published`` on the CPU) after one that is not counted: by
the clock, and of CPU time, which tells more where others compute, too.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_selfsup_recon import ISCLOptions
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel
from napari_selfsup_recon.methods.iscl._players import repaired_players, volume_players
from napari_selfsup_recon.methods.iscl._problem import FIELD, Pairs, Problem
from napari_selfsup_recon.methods.iscl._published import published_players
from napari_selfsup_recon.methods.iscl._published_trainee import BATCH, PublishedTrainee
from napari_selfsup_recon.methods.iscl._spectra import BANDS
from napari_selfsup_recon.methods.iscl._trainee import ISCLTrainee

SETTINGS = {
    "slice": {},
    "neighbours": {},
    "volume": {"dimensions": "3D"},
    "critics": {"warm_up": 0.0, "persuasion": 0.01},
    "published": {"players": "published"},
}
SLICES, SIDE = 16, 192


def trainee(setting: str, device: torch.device, batch: int) -> ISCLTrainee | PublishedTrainee:
    """Return a training that is ready for its first step, on made-up images."""
    options = ISCLOptions(steps=1000, device=str(device), **SETTINGS[setting])
    stacks = [torch.randn(1, SLICES, SIDE, SIDE, generator=torch_generator(n)) for n in (0, 1)]
    domains = [Domain(s.to(device), options.crop, seed=0, name="made-up") for s in stacks]
    flat = np.zeros(BANDS)
    model = NoiseModel(-3.0, flat - 2, flat - 4, np.ones((FIELD, FIELD)))
    reach, depth = int(setting == "neighbours"), options.depth * (setting == "volume")
    nothing = torch.zeros(1, 1, 1, 1)
    pairs = Pairs(nothing, nothing)
    problem = Problem(*domains, model, 0.0, reach, pairs, pairs, depth)

    def build(seed: int):
        generator = torch_generator(seed)
        if setting == "published":
            players = published_players(generator)
        elif depth:
            players = volume_players(options.width, model, generator)
        else:
            players = repaired_players(2 * reach + 1, options.width, model, generator)
        return players.to(device)

    if setting == "published":
        made = PublishedTrainee(problem, options, build=build, span=3.0, middle=0.0, batch=batch)
    else:
        made = ISCLTrainee(problem, options, build=build)
    made.begin(0)
    return made


def resident(*, most: bool) -> int:
    """Return the bytes of this process that are in memory, now or at most."""
    if most:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def weights(made: ISCLTrainee | PublishedTrainee, setting: str) -> tuple[int, int]:
    """Return the weights that are trained, and those that the answer takes."""
    players = made.players
    answer = [players.denoiser, players.extractor]
    used = answer if setting in ("slice", "neighbours", "volume") else [players]
    return tuple(
        sum(p.numel() for net in nets for p in net.parameters()) for nets in (used, answer)
    )


def row(setting: str, arguments: argparse.Namespace) -> str:
    """Measure one setting."""
    device = torch.device(arguments.device)
    published = setting == "published"
    batch = arguments.batch or BATCH
    few = min(2, batch)
    start = resident(most=False)
    counted = trainee(setting, device, few)
    exhaust(counted.step(0))  # takes noise for the critics
    with FlopCounterMode(display=False) as counter:
        exhaust(counted.step(1))
    flop = counter.get_total_flops() * (batch / few if published else 1)
    trained, answer = weights(counted, setting)
    made = trainee(setting, device, batch) if published else counted
    times: list[tuple[float, float]] = []
    for index in range(1 if published and device.type == "cpu" else arguments.steps + 1):
        began = time.perf_counter(), time.process_time()
        exhaust(made.step(2 + index))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    seconds, busy = (statistics.median(kind) for kind in zip(*(times[1:] or times), strict=True))
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(device)
    else:
        memory = resident(most=True) - start
    crops = batch if published else made.options.crops
    return (
        f"{setting:>12}{crops:>7}{trained:>12,}{answer:>12,}{flop / 1e9:>10.1f}{seconds:>10.3f}"
        f"{busy:>10.3f}{memory / 2**20:>9.0f}"
    )


def main() -> None:
    """Print a row a setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=tuple(SETTINGS), default=tuple(SETTINGS))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, help="crops of the published step")
    parser.add_argument("--row", choices=tuple(SETTINGS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.row:
        print(row(arguments.row, arguments), flush=True)
        return
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.device}")
    print(
        f"{'setting':>12}{'crops':>7}{'weights':>12}{'in answer':>12}{'GFLOP':>10}{'seconds':>10}"
        f"{'CPU s':>10}{'MiB':>9}",
        flush=True,
    )
    for setting in arguments.only:
        command = [sys.executable, __file__, "--row", setting, *sys.argv[1:]]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
