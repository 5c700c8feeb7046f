"""What one viewer is doing. It outlives the docks that show it."""

from __future__ import annotations

import weakref
from typing import Any, TypeVar

from napari.layers import Image
from psygnal import Signal

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs.result import Result
from napari_selfsup_recon.widgets.again import again_of
from napari_selfsup_recon.widgets.batch_job import BatchJob
from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.choices import Intent
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.request import make_request
from napari_selfsup_recon.widgets.run_log import RunLog
from napari_selfsup_recon.widgets.states import State
from napari_selfsup_recon.widgets.undo import Undo

AnyJob = TypeVar("AnyJob", Job, BatchJob)

_SESSIONS: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


class Session:
    """The job of a viewer and what was last chosen there; use :meth:`of`.

    Attributes
    ----------
    intent
        What was chosen last, None before anything was; a dock that is opened again starts from it.
    microscope
        The microscope for which a PSF was computed last.
    job
        The last job, running or done.
    log
        The results of this viewer.
    undo
        Takes the layers of the last run away, and brings them back.
    changed
        Emitted when the state changed.
    progressed
        Emitted when a running job has news, 10 times a second at most.
    """

    changed = Signal()
    progressed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(unwrap(viewer))
        self.intent: Intent | None = None
        self.microscope: Microscope | None = None
        self.job: Job | BatchJob | None = None
        self.log = RunLog()
        self.undo = Undo(viewer)

    @staticmethod
    def of(viewer: Any) -> Session:
        """Return the session of ``viewer``; the same one every time."""
        viewer = unwrap(viewer)
        if viewer not in _SESSIONS:
            _SESSIONS[viewer] = Session(viewer)
        return _SESSIONS[viewer]

    @property
    def viewer(self) -> Any:
        """The viewer, None when it is gone."""
        return self._viewer()

    @property
    def state(self) -> State:
        """What is going on."""
        return self.job.state if self.job is not None else State.READY

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self.state.busy

    def remember_microscope(self, microscope: Microscope) -> None:
        """Keep what a person said of the microscope, for docks that are opened later."""
        self.microscope = microscope

    def start(self, job: AnyJob) -> AnyJob:
        """Start ``job``; one job at a time.

        Raises
        ------
        InputError
            If another one is under way.
        """
        if self.busy:
            raise InputError(
                "A reconstruction is under way in this viewer already.",
                hint="Wait for it, stop it or discard it first.",
            )
        self.job = job
        job.changed.connect(self._on_change)
        job.progressed.connect(self.progressed.emit)
        if isinstance(job, Job):  # batches write files, no layers
            job.delivered.connect(self._on_result)
            job.finished.connect(self._on_finished)
        job.start()
        self.changed.emit()
        return job

    def run(self, intent: Intent, *, attempt: bool = False) -> Job:
        """Start what ``intent`` says on what is in view, or only try it on a small part.

        Raises
        ------
        InputError
            If there is no usable image, or a job is under way.
        """
        self.intent = intent
        request = make_request(intent, self.viewer, attempt=attempt)
        again = again_of(request.source, request.config, request.psf, request.given)
        job = Job(
            self.viewer,
            request.source,
            request.resolve,
            preview=attempt,
            again=again,
            folder=request.folder,
        )
        return self.start(job)

    def _on_result(self, result: Result, layer: Image) -> None:
        job = self.job
        if isinstance(job, Job) and not job.preview:
            self.log.add_result(result, layer, job.again, job.history.marks)

    def _on_finished(self) -> None:
        if isinstance(self.job, Job):
            self.undo.made(self.job.layers)

    def _on_change(self, state: State) -> None:
        viewer, job = self.viewer, self.job
        if state is State.DONE and viewer is not None and job is not None and job.made:
            viewer.status = f"Done: {', '.join(job.made)}"
        self.changed.emit()
