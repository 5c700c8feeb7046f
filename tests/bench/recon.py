"""EI, REI and what they compete with, where too little is measured: one table a protocol.

    tox run -e bench -- recon sparse-view [--only METHOD ...] [--minutes 15] [--full]

Protocols: ``sparse-view`` (CT, 16 views, no noise), ``low-dose`` (the same as photon counts),
``missing-pixels`` (photon noise) and ``head`` (MRI, a quarter of k-space). Every object has one
measurement with one noise. Networks see the training set; what is printed is another set, the test
set or, while options are chosen, ``--split validation``. ``start`` is the network before it learns,
``mc`` measurement consistency alone, ``supervised`` the same network after as many steps, taught by
clean images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _recon_data import PROTOCOLS, Images, Protocol

from napari_selfsup_recon import (
    EI,
    REI,
    LeastSquares,
    Supervised,
    TotalVariation,
)
from napari_selfsup_recon.core.events import Notice, Step
from napari_selfsup_recon.metrics import psnr, ssim

CLASSICAL = ("inverse", "least-squares", "tv")
LEARNED = {"start": EI, "mc": EI, "ei": EI, "rei": REI, "supervised": Supervised}


def main() -> None:
    """Print one row a method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--only", nargs="*", choices=(*CLASSICAL, *LEARNED))
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="of training a method")
    length.add_argument("--steps", type=int)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--full", action="store_true", help="the size and network of the papers")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--set-option", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--curve", action="store_true", help="print the PSNR of every look")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data"))
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    protocol = PROTOCOLS[arguments.protocol](folder, arguments.full)
    chosen: dict[str, Any] = {**protocol.options, "device": arguments.device}
    for pair in arguments.set_option:
        name, _, value = pair.partition("=")
        chosen[name] = json.loads(value)
    truth = getattr(protocol, arguments.split)
    y = protocol.measured(truth)
    print(f"torch {torch.__version__}, {arguments.threads} threads, options {json.dumps(chosen)}")
    print(
        f"{protocol.name}, {arguments.split}: {len(truth)} images {protocol.physics.image_shape}, "
        f"{len(protocol.train)} to learn from, noise {protocol.noise}"
    )
    print(f"{'method':>14}{'PSNR':>8}{'+-':>6}{'SSIM':>8}   seconds, kept step")
    methods = arguments.only or (*CLASSICAL, *LEARNED)
    if protocol.noise is None and not arguments.only:
        methods = [name for name in methods if name != "rei"]
    for name in methods:
        for seed in arguments.seeds if name in LEARNED else [0]:
            began = time.perf_counter()
            if name in LEARNED:
                images, note = learned(
                    name, protocol, y, truth, {**chosen, "seed": seed}, arguments
                )
            else:
                images, note = classical(name, protocol, y), ""
            took = time.perf_counter() - began
            print(row(name, images, truth, protocol) + f"   {took:.0f} {note}", flush=True)


def classical(name: str, protocol: Protocol, y: Images) -> Images:
    """Return the images of a method without training."""
    physics, noise = protocol.physics, protocol.noise
    if name == "inverse":
        measured = torch.from_numpy(y if physics.channels else y[:, None])
        image = physics.A_dagger(measured).numpy()
        return image if physics.channels else image[:, 0]
    if not physics.linear:
        # Logarithms are what tomographers give to these methods.
        y = physics.line_integrals(torch.from_numpy(y[:, None])).numpy()[:, 0]
        y, physics, noise = y / protocol.physics.attenuation, physics.projector, None
    method = {"least-squares": LeastSquares, "tv": TotalVariation}[name](physics, noise=noise)
    return np.stack([method.reconstruct(item) for item in y])


def learned(
    name: str,
    protocol: Protocol,
    y: Images,
    truth: Images,
    chosen: dict[str, Any],
    arguments: argparse.Namespace,
) -> tuple[Images, str]:
    """Train, and return the images and what there is to tell."""
    kind = LEARNED[name]
    if name == "start" and protocol.noise is not None:
        kind = REI
    given = {key: value for key, value in chosen.items() if key in kind.options_type.model_fields}
    if name == "mc":
        given |= {"alpha": 0.0, "beta": 0.0, "split": 0.0}
    measured = protocol.measured(protocol.train)
    clean = protocol.train if name == "supervised" else None

    def method(**more: Any) -> Any:
        return kind(protocol.physics, kind.options_type(**{**given, **more}), noise=protocol.noise)

    steps = arguments.steps
    if arguments.minutes and name != "start":
        pace = seconds_per_step(method(steps=1000).train(measured, clean=clean))
        steps = max(10, int(60 * arguments.minutes / pace))
    if name == "start":
        steps, given = 1, {**given, "learning_rate": 1e-12}
    if steps:
        given |= {"steps": steps}
        given.setdefault("patience", steps)
    trained = method()
    began, watched = time.perf_counter(), 0.0
    for event in trained.train(measured, clean=clean):
        if isinstance(event, Notice) and event.level == "warning":
            print(f"  {event.message}", flush=True)
        if arguments.curve and isinstance(event, Step) and event.score is not None:
            looked = time.perf_counter()
            now = mean_psnr(trained.reconstruct(y), truth, protocol)
            seconds = looked - began - watched
            print(f"  {event.index:6d} score {event.score:.4e} {now:.2f} dB {seconds:.0f} s")
            watched += time.perf_counter() - looked
    images = trained.reconstruct(y)
    scores = " ".join(f"{key} {value:.3g}" for key, value in trained.scores.items())
    return (
        images,
        f"{trained.best_step} of {trained.options.steps}, seed {chosen['seed']}, {scores}",
    )


def seconds_per_step(run: Iterator[Any]) -> float:
    """Return how long a step takes, scores included, by the first 25."""
    began = 0.0
    for event in run:
        if isinstance(event, Step) and event.finished:
            if event.index == 2:
                began = time.perf_counter()
            if event.index == 25:
                break
    return (time.perf_counter() - began) / 23


def magnitude(images: Images, protocol: Protocol) -> Images:
    """Return complex images as their magnitude, others as they are."""
    return np.hypot(images[:, 0], images[:, 1]) if protocol.physics.channels else images


def mean_psnr(images: Images, truth: Images, protocol: Protocol) -> float:
    """Return the mean PSNR over images; white is 1."""
    pairs = zip(magnitude(truth, protocol), magnitude(images, protocol), strict=True)
    return float(np.mean([psnr(t, i, data_range=1.0) for t, i in pairs]))


def row(name: str, images: Images, truth: Images, protocol: Protocol) -> str:
    """Return the line of a method."""
    pairs = list(zip(magnitude(truth, protocol), magnitude(images, protocol), strict=True))
    reached = [psnr(t, i, data_range=1.0) for t, i in pairs]
    similar = [ssim(t, i, data_range=1.0) for t, i in pairs]
    return f"{name:>14}{np.mean(reached):8.2f}{np.std(reached):6.2f}{np.mean(similar):8.4f}"


if __name__ == "__main__":
    main()
