"""Images and jobs for the tests of the window."""

from __future__ import annotations

import numpy as np
from napari.qt.threading import GeneratorWorker
from napari.utils import progress

from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.plan import resolve
from napari_selfsup_recon.widgets.bridge import source_of
from napari_selfsup_recon.widgets.dock import ReconWidget
from napari_selfsup_recon.widgets.job import Job


def add_cells(viewer, **more):
    """Add a noisy volume with a place in space."""
    rng = np.random.default_rng(0)
    facts = {
        "name": "cells",
        "scale": (2.0, 0.5, 0.5),
        "translate": (1.0, 2.0, 3.0),
        "units": ("um", "um", "um"),
        "axis_labels": ("z", "y", "x"),
        "contrast_limits": (10, 90),
    }
    viewer.add_image(rng.poisson(50, (6, 24, 20)).astype(np.uint16), **(facts | more))
    return viewer.layers[-1]


def make_job(viewer, layer, *, region=None, baseline=None, preview_every=0.05, **options):
    """Return a job of the fake method that is not started yet."""
    source = source_of(layer)
    config = RunConfig(
        task="denoise",
        method="fake",
        options=options,
        baseline=baseline,
        physics=PhysicsChoice(),
        region=region,
        preview_every=preview_every,
    )
    return Job(viewer, source, lambda: resolve(config, source.measurement))


def opener_of(kind, viewer, qtbot):
    """Return what opens docks of a kind, which follow the layer list as napari lets them."""

    def opener():
        dock = kind(viewer)
        qtbot.addWidget(dock)
        for name in ("inserted", "removed", "reordered", "renamed"):
            getattr(viewer.layers.events, name).connect(dock.reset_choices)
        dock.show()
        return dock

    return opener


def training(job):
    """Whether the job has begun to learn; once true it stays true."""
    return len(job.facts.losses) > 3


def settle(qtbot):
    """Wait until nothing is left running; napari shows no bar then."""
    qtbot.waitUntil(lambda: not GeneratorWorker._worker_set, timeout=3000)
    assert not progress._all_instances


def denoising_dock(viewer, qtbot):
    """Return a dock that denoises with the fake method alone."""
    made = ReconWidget(viewer)
    qtbot.addWidget(made)
    made.data.denoise.setChecked(True)
    made.refresh()
    made.method.method.setCurrentIndex(made.method.method.findData("fake"))
    made.method.baseline.setChecked(False)
    made.refresh()
    return made
