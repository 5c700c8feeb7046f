"""Projectors of CT: speed and memory, beside a bare sparse product, scikit-image and ASTRA.

    tox run -e bench -- projectors [--threads N] [--repeat N] [--only NAME ...] [--device cuda]
    tox run -e bench -- projectors --accuracy

Each row is measured in a process of its own. Times are medians after a first call, in milliseconds,
peaks are the MB that the first call takes beyond what there is before it, its result included. Of
the stored form, that holds the matrices, and set-up is the time to the first result; in brackets
what loading and compiling the loops takes before that, once a process, and, for machines with other
work to do, the time of set-up that processors spent on it. ``bare`` is
torch's sparse CSR product of the same matrix with images that lie side by side already.
scikit-image runs slice by slice and tells how fast the machine is; ASTRA runs where it is
installed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon import FanBeam, ParallelBeam
from napari_selfsup_recon.physics.checks import adjoint_error

# Slices, side, angles.
CASES = {"stack": (8, 256, 180), "slice": (1, 512, 180), "large": (1, 1024, 720)}
GPU_CASES = {**CASES, "batch": (64, 256, 256)}
FORMS = ("stored", "lean", "fan lean", "scikit-image", "astra")
BUDGET = 2**31
HEADS = ("set-up s", "forward", "adjoint", "FBP", "bare A", "bare A'", "MB: A", "A'", "FBP")


def main() -> None:
    """Print one row a case and form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of cases and forms")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--accuracy", action="store_true", help="print errors instead of times")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        torch.set_num_threads(arguments.threads)
        print(row(*arguments.one, arguments.repeat, torch.device(arguments.device)))
        return
    if arguments.accuracy:
        accuracy()
        return
    print(f"{arguments.threads} threads, {arguments.device}".ljust(20), end="")
    print("".join(f"{head:>9}" for head in HEADS) + "  dot test")
    taken: dict[tuple[str, str], list[float]] = {}
    options = ["--threads", str(arguments.threads), "--repeat", str(arguments.repeat)]
    options += ["--device", arguments.device]
    for case in CASES if arguments.device == "cpu" else GPU_CASES:
        for form in FORMS:
            if arguments.only and not {case, form} <= {*arguments.only, *skipped(arguments.only)}:
                continue
            if case == "large" and form not in ("lean", "fan lean"):
                continue
            command = [sys.executable, __file__, *options, "--one", case, form]
            environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            said = done.stdout.strip() or done.stderr.strip().splitlines()[-1]
            said, _, numbers = said.partition("\n")
            print(said if done.returncode == 0 else f"{case}, {form}: {said}", flush=True)
            if numbers:
                taken[case, form] = json.loads(numbers)
    ratios(taken)


def ratios(taken: dict[tuple[str, str], list[float]]) -> None:
    """Print how long each form takes beside what it competes with: forward and adjoint."""
    for (case, form), times in taken.items():
        for other in ("bare", "astra", "scikit-image"):
            beside = times[2:] if other == "bare" else taken.get((case, other), [])
            if beside and form in ("stored", "lean"):
                parts = " and ".join(
                    f"{a / b:.2f}" for a, b in zip(times, beside[:2], strict=False)
                )
                print(f"{case}, {form}: {parts} times {other}")


def skipped(only: list[str]) -> set[str]:
    """Return the names of the kind (cases, forms) of which none was asked for."""
    kinds = (set(GPU_CASES), set(FORMS))
    return set().union(*(kind for kind in kinds if not kind & set(only)))


def row(case: str, form: str, repeat: int, device: torch.device) -> str:
    """Measure one form on one case."""
    slices, side, views = GPU_CASES[case]
    angles = np.arange(views) * np.pi / views
    x = torch.rand(slices, 1, side, side, generator=torch.Generator().manual_seed(0))
    name = f"{case}, {form}".ljust(20)
    if form == "scikit-image":
        return name + scikit_image(x.numpy()[:, 0], np.rad2deg(angles))
    if form == "astra":
        return name + astra(x.numpy()[:, 0], angles, repeat)
    x = x.to(device)

    def built(side: int, views: int) -> ParallelBeam | FanBeam:
        memory = BUDGET if form == "stored" else 0
        some = np.arange(views) * np.pi / views
        if form == "fan lean":
            distances = {"source_distance": 3.0 * side, "detector_distance": 1.0 * side}
            return FanBeam((side, side), 2 * some, memory=memory, **distances)
        return ParallelBeam((side, side), some, memory=memory)

    began = time.perf_counter()
    warm = built(32, 8)  # compiles the loops, and loads what is loaded at the first use
    warm.A_dagger(warm.A(x[..., :32, :32].contiguous()))
    compiled = time.perf_counter() - began
    beam = built(side, views)
    if form == "stored" and not beam._engine.fits(x.dtype):
        return name + "beyond the budget"
    began, worked = time.perf_counter(), time.process_time()
    first, y = peak(lambda: beam.A(x), device)
    setup, worked = time.perf_counter() - began, time.process_time() - worked
    calls: list[tuple[Callable[[Tensor], Tensor], Tensor]] = [
        (beam.A, x),
        (beam.A_adjoint, y),
        (beam.A_dagger, y),
    ]
    peaks = [first, *(peak(lambda f=f, v=v: f(v), device)[0] for f, v in calls[1:])]
    times = [median(lambda f=f, v=v: f(v), repeat, device) for f, v in calls]
    bare: list[float | None] = [None, None]
    if form == "stored":
        pair = beam._engine._pair(x.dtype, x.device)
        columns = x.reshape(slices, -1).T.contiguous(), y.reshape(slices, -1).T.contiguous()
        both = zip((pair.forward, pair.adjoint), columns, strict=True)
        bare = [median(lambda m=m, v=v: m @ v, repeat, device) for m, v in both]
    dot = adjoint_error(beam, dtype=torch.float32, device=device)
    figures = [setup if form == "stored" else None, *times, *bare, *peaks]
    places = [2, 0, 0, 0, 0, 0, 0, 0, 0]
    if min(times) < 20:
        places = [2, 1, 1, 1, 1, 1, 0, 0, 0]
    cells = (
        f"{'-':>9}" if f is None else f"{f:9.{p}f}" for f, p in zip(figures, places, strict=True)
    )
    numbers = json.dumps([*times[:2], *(b for b in bare if b is not None)])
    more = f"  {dot:.0e}  ({compiled:.1f} s before"
    if form == "stored":
        more += f"; set-up {worked:.2f} s of the processor"
    return name + "".join(cells) + more + f")\n{numbers}"


def accuracy() -> None:
    """Print the errors of discs, of the adjoints, and FBP beside that of scikit-image."""
    from skimage.data import shepp_logan_phantom
    from skimage.transform import iradon, radon, resize

    side, views = 256, 180
    degrees = np.arange(views) * 180 / views
    angles = np.deg2rad(degrees)
    beams = {
        "parallel": ParallelBeam((side, side), angles),
        "parallel, pitch 0.7, axis off": ParallelBeam(
            (side, side), angles, pitch=0.7, axis_offset=3.3
        ),
        "fan": FanBeam(
            (side, side), 2 * angles, source_distance=3.0 * side, detector_distance=1.0 * side
        ),
    }
    print(f"{side} x {side}, {views} views".ljust(32) + "   disc   dot float64   float32")
    for name, beam in beams.items():
        image, sinogram = disc(beam)
        found = beam.A(torch.from_numpy(image)[None, None])[0, 0].numpy()
        error = np.linalg.norm(found - sinogram) / np.linalg.norm(sinogram)
        dots = [adjoint_error(beam, dtype=d) for d in (torch.float64, torch.float32)]
        print(f"{name:<32}{error:7.2%}{dots[0]:14.0e}{dots[1]:10.0e}")
    phantom = resize(shepp_logan_phantom(), (side, side), anti_aliasing=True)
    theirs = radon(phantom, degrees, circle=False)
    x, y = (torch.from_numpy(a.copy())[None, None] for a in (phantom, theirs.T))
    plain = beams["parallel"]
    # Its axis is half a pixel off the middle: of the slice, and of a detector of even width.
    wide = ParallelBeam(
        (side + 1, side + 1),
        angles,
        detectors=len(theirs),
        axis_offset=len(theirs) // 2 - (len(theirs) - 1) / 2,
    )
    results = {
        "scikit-image": iradon(theirs, degrees, circle=False, filter_name="ramp", output_size=side),
        "ours, of its sinogram": wide.A_dagger(y)[0, 0, :side, :side].numpy(),
        "ours, of our sinogram": plain.A_dagger(plain.A(x))[0, 0].numpy(),
    }
    for name, image in results.items():
        psnr = -10 * np.log10(np.mean((image - phantom) ** 2))
        print(f"FBP of Shepp-Logan, {name}: {psnr:.2f} dB")


def disc(beam: ParallelBeam | FanBeam) -> tuple[np.ndarray, np.ndarray]:
    """Return a disc off the middle, its edge covered in part, and its true sinogram."""
    x, y, radius, fine = 20.3, -31.7, 70.0, 8
    n = beam.image_shape[0]
    place = (np.arange(n * fine) + 0.5) / fine - n / 2
    inside = (place[None] - x) ** 2 + (place[:, None] - y) ** 2 <= radius**2
    cells = np.arange(beam.detectors) - (beam.detectors - 1) / 2 - beam.axis_offset
    u, angle = cells * beam.pitch, beam.angles[:, None]
    normal_x, normal_y, distance = np.cos(angle), -np.sin(angle), u
    if isinstance(beam, FanBeam):
        whole = beam.source_distance + beam.detector_distance
        normal_x, normal_y = (
            whole * normal_x + u * normal_y,
            whole * normal_y - u * np.cos(angle),
        )
        length = np.hypot(normal_x, normal_y)
        normal_x, normal_y, distance = normal_x / length, normal_y / length, u / length
        distance = distance * beam.source_distance
    away = x * normal_x + y * normal_y - distance
    chords = 2 * np.sqrt(np.maximum(radius**2 - away**2, 0))
    return inside.reshape(n, fine, n, fine).mean((1, 3)), chords


def scikit_image(images: np.ndarray, degrees: np.ndarray) -> str:
    """Time scikit-image, slice by slice, once."""
    from skimage.transform import iradon, radon

    began = time.perf_counter()
    sinograms = [radon(image, degrees, circle=False) for image in images]
    between = time.perf_counter()
    for sinogram in sinograms:
        iradon(sinogram, degrees, circle=False, filter_name=None)
    done = time.perf_counter()
    times = [1e3 * (between - began), 1e3 * (done - between)]
    return f"{'-':>9}" + "".join(f"{t:9.0f}" for t in times) + f"\n{json.dumps(times)}"


def astra(images: np.ndarray, angles: np.ndarray, repeat: int) -> str:
    """Time ASTRA's linear projector on the CPU, slice by slice."""
    try:
        import astra as toolbox
    except ImportError:
        return "not installed"
    side = images.shape[1]
    detector = toolbox.create_proj_geom("parallel", 1.0, int(np.ceil(side * 2**0.5)), angles)
    volume = toolbox.create_vol_geom(side, side)
    projector = toolbox.create_projector("linear", detector, volume)

    def forward() -> list[np.ndarray]:
        results = [toolbox.create_sino(image, projector) for image in images]
        toolbox.data2d.delete([number for number, _ in results])
        return [sinogram for _, sinogram in results]

    sinograms = forward()

    def adjoint() -> None:
        results = [toolbox.create_backprojection(s, projector) for s in sinograms]
        toolbox.data2d.delete([number for number, _ in results])

    cpu = torch.device("cpu")
    times = [median(call, repeat, cpu) for call in (forward, adjoint)]
    return f"{'-':>9}" + "".join(f"{t:9.0f}" for t in times) + f"\n{json.dumps(times)}"


def median(call: Callable[[], object], repeat: int, device: torch.device) -> float:
    """Return the median time of the call in milliseconds."""
    times = []
    for _ in range(repeat + 1):
        began = time.perf_counter()
        call()
        wait(device)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def wait(device: torch.device) -> None:
    """Wait until the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak(call: Callable[[], Tensor], device: torch.device) -> tuple[float | None, Tensor]:
    """Return the MB that a first call takes beyond what is in use before it, and its result."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = call()
        wait(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6, result
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets back the peak
        before = high_water()
    except OSError:
        return None, call()
    result = call()
    return (high_water() - before) / 1e6, result


def high_water() -> int:
    """Return the peak of this process's memory in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
