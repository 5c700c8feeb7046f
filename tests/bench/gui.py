"""The window: ``tox run -e bench -- gui [opening|again|preview|smoothness|closing|memory]``.

It needs a display (or xvfb-run). ``opening``: from asking for a dock to seeing it, in fresh
processes, process time and wall clock; and from starting napari to the dock. ``again``: from asking
for a dock that was closed to seeing it with what was chosen. ``preview``: from pressing Preview to
the first pixels of the classical image, and to those of a network that has begun to learn.
``smoothness``: how long the event loop is held up while a network learns on the CPU. ``closing``:
from closing the window, with training under way, until nothing runs any more. ``memory``: growth of
the process over 100 short runs. All in one table, with the aims.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_selfsup_recon.core.events import Event, Preview
from napari_selfsup_recon.demos import demo2d, demo3d, sparse_ct, unpaired
from napari_selfsup_recon.demos._window import DOCK, open_sample_with_dock
from napari_selfsup_recon.runs.names import label_of
from napari_selfsup_recon.runs.result import Result
from napari_selfsup_recon.simulate import sample
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.warm_up import warm_up

HERE = Path(__file__).parent
PREVIEWED = {demo.SAMPLE: demo.OPTIONS for demo in (demo3d, demo2d, unpaired, sparse_ct)} | {
    "noisy_2d": {}
}
OPENING = """
import json, os, sys, time
import napari
import npe2
import numpy as np
npe2.PluginManager.instance().discover()  # napari has done that before a dock can be asked for
viewer = napari.Viewer(show=False)
viewer.add_image(np.random.default_rng(0).random((8, 64, 64)))
began, at = time.process_time(), time.perf_counter()
from napari_selfsup_recon.widgets.{module} import {name}
viewer.window.add_dock_widget({name}(viewer))
print(json.dumps([time.process_time() - began, time.perf_counter() - at]))
sys.stdout.flush()
os._exit(0)
"""
DOCKS = (("dock", "ReconWidget"), ("psf_dock", "PsfWidget"))
STARTING = """
import json, os, sys, time
began = time.perf_counter()
import napari
viewer = napari.Viewer()
viewer.window.add_plugin_dock_widget("napari-selfsup-recon", {dock!r})
from qtpy.QtWidgets import QApplication
QApplication.processEvents()
print(json.dumps(time.perf_counter() - began))
sys.stdout.flush()
os._exit(0)
"""
RUNS = 100


@dataclass(frozen=True)
class Row:
    """A figure and its aim."""

    what: str
    figure: str
    aim: str = ""


def fresh(code: str, *arguments: str) -> Any:
    """Return what a fresh process prints as JSON."""
    done = subprocess.run(
        [sys.executable, *(("-c", code) if code else ()), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def opening() -> Iterator[Row]:
    """Open each dock in three fresh processes; start napari with one in two."""
    for module, name in DOCKS:
        runs = [fresh(OPENING.format(module=module, name=name)) for _ in range(3)]
        process, wall = np.min(runs, axis=0)
        yield Row(f"opening {name}", f"{process:.2f} s of the process, {wall:.2f} s", "0.3 s")
    starts = [fresh(STARTING.format(dock=DOCK)) for _ in range(2)]
    yield Row("from the start of napari to the dock", f"{min(starts):.1f} s")


def again() -> Iterator[Row]:
    """Close the dock after a run and open it again: it shows what was chosen."""
    dock = open_dock("cells_2d")
    viewer, chosen = dock.session.viewer, dock.value()
    dock.session.intent = chosen
    viewer.window.remove_dock_widget(dock)
    began = time.perf_counter()
    other = ReconWidget(viewer)
    viewer.window.add_dock_widget(other, name="dock again")
    QApplication.processEvents()
    seconds = time.perf_counter() - began
    same = other.value().method == chosen.method and other.value().data == chosen.data
    yield Row("opening again, as it was left", f"{seconds:.2f} s, {same}", "0.3 s, True")
    viewer.close()


def preview() -> Iterator[Row]:
    """Press Preview, once torch is loaded (the dock does that when the mouse is over it)."""
    warm_up()
    next(thread for thread in threading.enumerate() if thread.name == "warm-up").join()
    for name, options in PREVIEWED.items():
        yield previewed(name, options)


def previewed(name: str, options: dict[str, Any]) -> Row:
    """Press Preview on a sample."""
    viewer, dock = open_sample_with_dock(name, options, napari.Viewer())
    QApplication.processEvents()
    chosen, words = dock.value().method, []
    began, used = time.perf_counter(), time.process_time()
    dock.start(attempt=True)
    job = dock.session.job
    seen = spied(job)
    for key in filter(None, (chosen.baseline, chosen.key)):
        turn_until(lambda key=key: key in seen or job.done)
        seconds = time.perf_counter() - began
        words.append(f"{label_of(key)} {seconds:.1f} s ({time.process_time() - used:.1f} s)")
    job.discard()
    turn_until(lambda: job.done)
    viewer.close()
    return Row(f"first pixels, {name}: wall clock (process)", ", ".join(words), "3 s")


def spied(job: Job) -> set[str]:
    """Return the methods of which an image is shown, as they come.

    What learning starts from is no image of the network.
    """
    seen: set[str] = set()
    take = job._take

    def spy(event: Event) -> None:
        take(event)
        if isinstance(event, Result):
            seen.add(event.key)
        elif isinstance(event, Preview) and event.step:
            methods, frames = job.plan.methods, len(list(job.plan.measurement.leading_indices()))
            part = job.facts.part if job.plan.problem else job.facts.part // frames
            seen.add(methods[min(part, len(methods) - 1)][0].key)

    job._take = spy
    return seen


def smoothness() -> Iterator[Row]:
    """Look at the gaps between turns of the event loop for ten seconds of training."""
    dock = open_dock("cells_2d")
    dock.start()
    job = dock.session.job
    turn_until(lambda: len(job.facts.losses) > 1 or job.done)
    times = [time.perf_counter()]
    timer = QTimer()
    timer.timeout.connect(lambda: times.append(time.perf_counter()))
    timer.start(2)
    turn_until(lambda: times[-1] - times[0] > 10)
    timer.stop()
    gaps = 1e3 * np.diff(times)
    job.stop()
    job.wait(300)
    median, most = np.quantile(gaps, (0.5, 0.99))
    words = f"{median:.1f} ms, {most:.1f} ms, {gaps.max():.0f} ms"
    steps = job.facts.losses[-1][0]
    yield Row(f"gaps of the event loop: p50, p99, longest ({steps} steps)", words, "p99 50 ms")
    dock.session.viewer.close()


def closing() -> Iterator[Row]:
    """Close the window while a network learns."""
    dock = open_dock("cells_2d")
    dock.start()
    job = dock.session.job
    turn_until(lambda: len(job.facts.losses) > 3 or job.done)
    began = time.perf_counter()
    dock.session.viewer.close()
    GeneratorWorker.await_workers(60_000)
    yield Row("closing the viewer while it learns", f"{time.perf_counter() - began:.2f} s", "1 s")
    turn_until(lambda: job.done)


def memory() -> Iterator[Row]:
    """Run a tiny image again and again in a fresh process; the first ten times warm it up."""
    for what, aim in (("runs", "no growth"), ("layers", "")):
        script = str(HERE / "_gui_memory.py")
        sizes = np.array(fresh("", script, what, str(RUNS)))[1:]
        slope = np.polyfit(np.arange(len(sizes)) * 10, sizes, 1)[0] / 1024
        first, last = sizes[0] / 2**20, sizes[-1] / 2**20
        told = {"runs": "runs", "layers": "layers of napari that come and go in a window"}[what]
        words = f"{first:.1f} MiB, {last:.1f} MiB, {slope:.1f} kB each"
        yield Row(f"memory after 10 and after {RUNS} {told}, growth", words, aim)


def open_dock(name: str) -> ReconWidget:
    """Return a dock in a new window with a generated image and its PSF."""
    viewer = napari.Viewer()
    made = sample(name)
    viewer.add_image(made.measured, name="image", scale=made.scale, units=made.units)
    viewer.add_image(made.psf, name="PSF", scale=made.scale, units=made.units, visible=False)
    dock = ReconWidget(viewer)
    viewer.window.add_dock_widget(dock, name="dock")
    dock.data.image.setCurrentText("image")
    dock.refresh()
    if not dock.run_card.run.isEnabled():
        sys.exit(dock.run_card.message.text)
    return dock


def turn_until(wanted: Callable[[], bool]) -> None:
    """Let the window live until something is true."""
    while not wanted():
        QApplication.processEvents()
        time.sleep(0.001)


PARTS = {part.__name__: part for part in (opening, again, preview, smoothness, closing, memory)}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help=", ".join(PARTS))
    which = parser.parse_args().which or list(PARTS)
    if unknown := set(which) - set(PARTS):
        parser.error(f"choose from {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    napari.settings.get_settings().application.confirm_close_window = False
    rows = [row for name in which for row in told(PARTS[name]())]
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end\n")
    print("| | measured | aim |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.figure} | {row.aim} |")
    # Threads of a closed window must not hold up the end.
    sys.stdout.flush()
    os._exit(0)


def told(rows: Iterator[Row]) -> Iterator[Row]:
    """Print each row as it comes, for those who wait."""
    for row in rows:
        print(f"{row.what}: {row.figure}", flush=True)
        yield row


if __name__ == "__main__":
    main()
