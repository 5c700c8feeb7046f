"""Memory of a window after many runs: a fresh process prints it as JSON."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.qt import get_qapp
from qtpy.QtWidgets import QApplication

from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.plan import resolve
from napari_selfsup_recon.widgets.bridge import source_of
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.session import Session

EVERY = 10
TINY = {"steps": 2, "width": 4, "crop": 24, "batch": 1, "ensemble": False}


def resident() -> int:
    """Return the bytes of this process in memory, free ones of its heap given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(what: str, runs: int) -> None:
    """Run SSI again and again and take its result away, or only a layer; look every ten times.

    Runs are in a viewer without a window: in a window, each layer that comes and goes leaves behind
    what napari made to show it, whoever adds it (``layers`` measures that).
    """
    get_qapp()
    viewer = napari.Viewer(show=False) if what == "layers" else ViewerModel()
    image = viewer.add_image(np.random.default_rng(0).poisson(50, (48, 48)).astype(np.float32))
    session = Session.of(viewer)
    sizes = []
    for number in range(runs + 1):
        if what == "layers":
            viewer.add_image(np.zeros((48, 48), np.float32))
        else:
            run_once(viewer, image, session)
        for layer in [layer for layer in viewer.layers if layer is not image]:
            viewer.layers.remove(layer)
        for _ in range(5):
            QApplication.processEvents()
            time.sleep(0.002)
        if number % EVERY == 0:
            sizes.append(resident())
    print(json.dumps(sizes))
    sys.stdout.flush()
    os._exit(0)


def run_once(viewer: Any, image: Image, session: Session) -> None:
    """Run SSI to its end and take it off the list of runs."""
    config = RunConfig(task="denoise", method="ssi", options=TINY, physics=PhysicsChoice())
    source = source_of(image)
    session.start(Job(viewer, source, lambda: resolve(config, source.measurement))).wait()
    for run in session.log.runs:
        session.log.forget(run)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
