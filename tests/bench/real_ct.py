"""Real scans, from what was recorded to slices: a tooth, a diamond tool, a needle under tilt.

    tox run -e bench -- real_ct tooth|diamond|haadf [--methods NAME ...] [--minutes M]
        [--set-option NAME=VALUE ...] [--figure FOLDER]

``tooth``: 30 of 181 views, against filtered back-projection of all 181 (which is smoother than the
tooth: what slices predict of the other 151 views is told as well). ``diamond``: every other
view of 91; what the slices predict of the views between them. ``haadf``: a tilt series with a
missing wedge, every seventh tilt left out and predicted. All goes the way of a run
(``runs.resolve`` and ``runs.execute``), so that preparation and noise are those of a user. Learned
methods learn from the stack that they reconstruct; detectors are binned so that minutes on one core
tell something (``--binning 1`` is for GPUs). Errors of prediction are root mean squares over
the root mean square of what was recorded; the noise of the recorded views is part of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import tifffile
import torch
from scipy.ndimage import affine_transform, shift

from napari_selfsup_recon import Measurement, ParallelBeam
from napari_selfsup_recon.core.events import Notice, Step
from napari_selfsup_recon.metrics import psnr, ssim
from napari_selfsup_recon.runs import PhysicsChoice, Problem, Result, RunConfig, Tomograph, resolve
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.problem import pose

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = np.ndarray[Any, np.dtype[np.float32]]
METHODS = {
    "fbp": "filtered-back-projection",
    "ls": "least-squares",
    "tv": "total-variation",
    "ei": "ei",
    "rei": "rei",
}
LEARNED = ("ei", "rei")
_PACE = 12


@dataclass(frozen=True)
class Scan:
    """Projections ``(angle, row, column)``, some of which are asked for and never shown."""

    name: str
    projections: Array
    degrees: Array
    shown: Array
    given: dict[str, Any]
    tomograph: Tomograph
    asked: Array = field(default_factory=lambda: np.zeros(0, dtype=int))

    def measurement(self, views: Array) -> Measurement:
        """Return some views."""
        return Measurement(self.projections[views], name=self.name)

    def config(self, **more: Any) -> RunConfig:
        """Return a run on this scan."""
        choice = PhysicsChoice(instrument="parallel-beam", scan=self.tomograph)
        given = {"task": "reconstruct", "physics": choice, "baseline": None, "preview_every": 0}
        return RunConfig(**{**given, **more})

    def posed(self, views: Array) -> Problem:
        """Return the sinograms of some views."""
        given = self.given | {"angles": self.degrees[views]}
        return pose(self.config(method=METHODS["fbp"]), self.measurement(views), given)


def main() -> None:
    """Print a row a method, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", choices=SCANS)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=[*METHODS])
    parser.add_argument("--minutes", type=float, default=6.0, help="of training a method")
    parser.add_argument("--steps", type=int, help="of training, in place of minutes")
    parser.add_argument("--set-option", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--binning", type=int, help="columns (and rows) that are averaged")
    parser.add_argument("--rows", help="first and last row of the detector, as 76:108")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--figure", type=Path, help="folder")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("NSR_DATA", "data")) / "ct"
    if not folder.is_dir():
        sys.exit("Name the folder of the benchmark images in NSR_DATA.")
    torch.set_num_threads(arguments.threads)
    more = {"binning": arguments.binning, "rows": arguments.rows}
    scan = SCANS[arguments.scan](folder, **{k: v for k, v in more.items() if v})
    problem = scan.posed(scan.shown)
    slices, views, columns = problem.y.shape
    print(f"torch {torch.__version__}, {arguments.threads} threads")
    print(f"{scan.name}: {slices} slices of {columns} columns, {views} views", flush=True)
    for finding in problem.findings:
        print(f"  {finding.level}: {finding.message}")
    score = against_asked(scan, problem)
    if scan.name == "tooth":
        score = both(against_all(scan), score)
    images: dict[str, Array] = {}
    for name in arguments.methods:
        began = time.perf_counter()
        images[name], note = run(scan, name, arguments)
        took = time.perf_counter() - began
        print(f"{name:>6}  {score(images[name])}   {took:.0f} s {note}", flush=True)
    if arguments.figure:
        if scan.name == "tooth":
            images = {"fbp, 181 views": of_all_views(scan), **images}
        arguments.figure.mkdir(parents=True, exist_ok=True)
        path = arguments.figure / f"{scan.name}.png"
        draw(images, SECTIONS[scan.name], path)
        print(f"wrote {path}")


def run(scan: Scan, name: str, arguments: argparse.Namespace) -> tuple[Array, str]:
    """Return the slices of a method, and what there is to tell."""
    options: dict[str, Any] = {}
    if name in LEARNED:
        for pair in arguments.set_option:
            key, _, value = pair.partition("=")
            options[key] = json.loads(value)
        steps = arguments.steps
        if not steps:
            pace = seconds_per_step(events(scan, name, {**options, "steps": 1000}))
            steps = max(_PACE, int(60 * arguments.minutes / pace))
        options = {"patience": steps, **options, "steps": steps}
    for event in events(scan, name, options):
        if isinstance(event, Notice) and event.level == "warning":
            print(f"        {event.message}", flush=True)
        if isinstance(event, Result):
            result = event
    image = np.asarray(result.measurement.data, dtype=np.float32)
    return image, result.label + (f", {json.dumps(options)}" if options else "")


def events(scan: Scan, name: str, options: dict[str, Any]) -> Any:
    """Return the run of a method."""
    given = scan.given | {"angles": scan.degrees[scan.shown]}
    config = scan.config(method=METHODS[name], options=options)
    return execute(resolve(config, scan.measurement(scan.shown), given=given))


def seconds_per_step(running: Any) -> float:
    """Return how long a step takes, by the first ones."""
    began = 0.0
    for event in running:
        if isinstance(event, Step) and event.finished and event.total == 1000:
            if event.index == 2:
                began = time.perf_counter()
            if event.index == _PACE:
                break
    running.close()
    return (time.perf_counter() - began) / (_PACE - 2)


def against_all(scan: Scan) -> Callable[[Array], str]:
    """Return how slices are compared with filtered back-projection of all views."""
    truth = of_all_views(scan)
    n = truth.shape[-1]
    grid = np.arange(n) - (n - 1) / 2
    seen = np.hypot(grid[:, None], grid) < 0.46 * n
    low, high = (float(np.quantile(truth[:, seen], q)) for q in (0.001, 0.999))

    def score(images: Array) -> str:
        pairs = [
            (np.where(seen, t, 0), np.where(seen, i, 0)) for t, i in zip(truth, images, strict=True)
        ]
        reached = np.mean([psnr(t[seen], i[seen], data_range=high - low) for t, i in pairs])
        alike = np.mean([ssim(t, i, data_range=high - low) for t, i in pairs])
        return f"{reached:6.2f} dB  SSIM {alike:.4f}"

    return score


def both(*scores: Callable[[Array], str]) -> Callable[[Array], str]:
    """Return what several scores tell."""
    return lambda images: "  ".join(score(images) for score in scores)


def of_all_views(scan: Scan) -> Array:
    """Return filtered back-projection of all views."""
    every = replace(scan, shown=np.arange(len(scan.degrees)))
    return run(every, "fbp", argparse.Namespace())[0]


def against_asked(scan: Scan, problem: Problem) -> Callable[[Array], str]:
    """Return how what slices predict of the other views is compared with these."""
    other = replace(scan, tomograph=scan.tomograph.model_copy(update={"axis": problem.axis}))
    asked = other.posed(scan.asked)
    physics = asked.build()
    assert isinstance(physics, ParallelBeam)

    def score(images: Array) -> str:
        x = np.ascontiguousarray(images.reshape(len(asked.y), 1, *physics.image_shape))
        with torch.no_grad():
            predicted = physics.A(torch.from_numpy(x))[:, 0].numpy()
        error = np.sqrt(np.mean((predicted - asked.y) ** 2) / np.mean(asked.y**2))
        return f"error of {len(scan.asked)} other views {error:.4f}"

    return score


def tooth(folder: Path, binning: int = 4, rows: str = "0:2") -> Scan:
    """Synchrotron, two slices, 181 views over half a turn, both ends included."""
    with np.load(folder / "tomopy_tooth.npz") as file:
        chosen = between(rows)
        frames = {
            key: averaged(file[key][:, chosen], (1, 1, binning)) for key in ("proj", "flat", "dark")
        }
    shown = np.arange(0, 180, 6)
    return Scan(
        "tooth",
        frames["proj"],
        np.arange(181.0),  # the last view is the mirror image of the first one
        shown,
        {"flat": frames["flat"], "dark": frames["dark"]},
        Tomograph(),
        np.setdiff1d(np.arange(181), shown),
    )


def diamond(folder: Path, binning: int = 2, rows: str = "76:116") -> Scan:
    """Synchrotron, noisy, rings; the light was weaker than in the flat field."""
    chosen = between(rows)
    parts = {
        key: averaged(
            tifffile.imread(folder / f"diamond24737_{key}_{size}.tif")[..., chosen, :],
            ((1,) if key == "proj" else ()) + (binning, binning),
        )
        for key, size in (("proj", "91x135x160"), ("flat", "135x160"), ("dark", "135x160"))
    }
    width = 160 // binning
    edge = width // 10
    return Scan(
        "diamond",
        parts["proj"],
        np.loadtxt(folder / "diamond24737_angles_deg_91.txt"),
        np.arange(0, 91, 2),
        {"flat": parts["flat"], "dark": parts["dark"]},
        Tomograph(air=(0, edge, width - edge, width), stripes=True),
        np.arange(1, 91, 2),
    )


def haadf(folder: Path, binning: int = 2, rows: str = "80:192") -> Scan:
    """Electron tomography of a needle: -76 to 76 degrees, the rest is a missing wedge."""
    raw = tifffile.imread(folder / "haadf_tiltseries_raw_77x256x256.tif").astype(np.float32)
    with np.load(folder / "haadf_tilts_and_shifts.npz") as file:
        tilts, moves, turn = file["tilt_deg"], file["shift_yx_px"], float(file["tiltaxis"])
    frames = np.stack(
        [
            turned(shift(f, m, order=1, mode="nearest"), turn)
            for f, m in zip(raw, moves, strict=True)
        ]
    )
    # The tilt axis lies along the rows of the frames; rows and columns change places.
    # The needle is thin, and much the same along itself.
    frames = frames[:, 64:192, between(rows)].swapaxes(1, 2)
    frames = averaged(frames, (1, 2 * binning, binning))
    level = np.median(frames[..., : frames.shape[-1] // 16])
    asked = np.arange(3, len(tilts), 7)
    return Scan(
        "haadf",
        frames,
        tilts.astype(np.float64),
        np.setdiff1d(np.arange(len(tilts)), asked),
        {"dark": np.full(frames.shape[1:], level)},
        Tomograph(log="no", axis="middle"),
        asked,
    )


def turned(frame: Array, degrees: float) -> Array:
    """Return a frame turned about its middle."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(frame.shape) - 1) / 2
    return affine_transform(frame, matrix, middle - matrix @ middle, order=1, mode="nearest")


def averaged(frames: Any, sizes: tuple[int, ...]) -> Array:
    """Return means of ``sizes`` pixels an axis."""
    values = np.asarray(frames, dtype=np.float32)
    for axis, size in enumerate(sizes):
        n = values.shape[axis] // size
        values = np.take(values, np.arange(n * size), axis=axis)
        shape = (*values.shape[:axis], n, size, *values.shape[axis + 1 :])
        values = values.reshape(shape).mean(axis=axis + 1)
    return values


def between(words: str) -> slice:
    """Return the range that ``first:last`` says."""
    first, last = map(int, words.split(":"))
    return slice(first, last)


def draw(images: dict[str, Array], sections: Callable[[Array], list[Array]], path: Path) -> None:
    """Draw the sections of each method, all with the same greys."""
    rows = len(sections(next(iter(images.values()))))
    drawn, axes = plt.subplots(
        rows, len(images), figsize=(3.2 * len(images), 3.2 * rows), squeeze=False
    )
    first = next(iter(images.values()))
    for row in range(rows):
        shown = sections(first)[row]
        low, high = (float(np.quantile(shown, q)) for q in (0.02, 0.995))
        for column, (name, image) in enumerate(images.items()):
            axes[row, column].imshow(sections(image)[row], cmap="gray", vmin=low, vmax=high)
            if row == 0:
                axes[row, column].set_title(name, fontsize=10)
    for axis in axes.flat:
        axis.set_axis_off()
    drawn.tight_layout()
    drawn.savefig(path, dpi=100)
    plt.close(drawn)


def part(image: Array, rows: float, columns: float, size: float = 0.25) -> Array:
    """Return a part of a slice: where it begins and how large it is, as shares of its side."""
    n = image.shape[0]
    top, left, side = (round(n * share) for share in (rows, columns, size))
    return image[top : top + side, left : left + side]


# What is drawn: a slice across the rotation axis, and what shows its faults best.
SECTIONS: dict[str, Callable[[Array], list[Array]]] = {
    "tooth": lambda v: [v[0], part(v[0], 0.35, 0.3)],
    "diamond": lambda v: [v[len(v) // 4], v[:, v.shape[1] // 2]],
    "haadf": lambda v: [v[len(v) // 3], v[:, :, v.shape[2] // 2].T],
}
SCANS = {"tooth": tooth, "diamond": diamond, "haadf": haadf}


if __name__ == "__main__":
    main()
