"""The window: ``tox run -e bench -- gui [opening|preview|smoothness|closing]`` (needs a display).

``opening``: from asking for a dock to seeing it, in fresh processes, process time and wall clock.
``preview``: from pressing Preview to the first image. ``smoothness``: how long the event loop is
held up while a network learns on the CPU. ``closing``: from closing the window, with training under
way, until nothing runs any more. Aims: 0.3 s, 3 s, 50 ms for 99 of 100 turns, 1 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import napari
import numpy as np
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_selfsup_recon.simulate import sample
from napari_selfsup_recon.widgets.dock import ReconWidget

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


def opening() -> None:
    """Open each dock in three fresh processes."""
    for module, name in DOCKS:
        code = OPENING.format(module=module, name=name)
        runs = []
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, text=True
            )
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        process, wall = np.min(runs, axis=0)
        print(f"opening {name}: {process:.2f} s of the process, {wall:.2f} s by the clock")


def preview() -> None:
    """Press Preview, once torch is loaded (the dock does that when the mouse is over it)."""
    import torch  # noqa: F401

    dock = open_dock("beads_3d")
    viewer = dock.session.viewer
    before = len(viewer.layers)
    began = time.perf_counter()
    dock.start(attempt=True)
    turn_until(lambda: len(viewer.layers) > before)
    print(f"first preview after {time.perf_counter() - began:.2f} s")
    dock.session.job.discard()
    turn_until(lambda: dock.session.job.done)
    viewer.close()


def smoothness() -> None:
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
    print(
        f"gaps of the event loop: median {np.median(gaps):.1f} ms, 99 of 100 below "
        f"{np.quantile(gaps, 0.99):.1f} ms, longest {gaps.max():.0f} ms; "
        f"{job.facts.losses[-1][0]} steps"
    )
    dock.session.viewer.close()


def closing() -> None:
    """Close the window while a network learns."""
    dock = open_dock("cells_2d")
    dock.start()
    job = dock.session.job
    turn_until(lambda: len(job.facts.losses) > 3 or job.done)
    began = time.perf_counter()
    dock.session.viewer.close()
    GeneratorWorker.await_workers(60_000)
    print(f"closed after {time.perf_counter() - began:.2f} s")
    turn_until(lambda: job.done)


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


PARTS = {"opening": opening, "preview": preview, "smoothness": smoothness, "closing": closing}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help=", ".join(PARTS))
    which = parser.parse_args().which or list(PARTS)
    if unknown := set(which) - set(PARTS):
        parser.error(f"choose from {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    napari.settings.get_settings().application.confirm_close_window = False
    for name in which:
        PARTS[name]()
    # Threads of a closed window must not hold up the end.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
