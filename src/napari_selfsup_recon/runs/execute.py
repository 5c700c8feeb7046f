"""From the plan to events: baseline first, then the learned method, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING

from napari_selfsup_recon.core.errors import InputError, OutOfMemoryError, ReconError
from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.runs.result import Result

if TYPE_CHECKING:
    from napari_selfsup_recon.runs.kept import Reuse

__all__ = ["Control", "Result", "execute"]


def execute(
    plan: RunPlan,
    control: Control | None = None,
    *,
    keep_models: bool = False,
    reuse: Reuse | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[Event]:
    """Run a plan; a generator of events that lets go of everything when it is closed.

    Parameters
    ----------
    plan
        From :func:`~napari_selfsup_recon.runs.plan.resolve`.
    control
        Handle to stop, to switch previews, and for the number of threads.
    keep_models
        Whether a :class:`Result` carries its trained methods, to save them.
    reuse
        Trained methods that are applied, or trained on, instead of new ones.
    folder
        Where results are written as OME-Zarr, frame by frame, instead of being gathered in memory;
        their data are lazy (:attr:`Result.path`). Nothing there is replaced.

    Yields
    ------
    Event
        ``Stage`` where a method begins with a frame (``part`` of ``parts``); its ``Step``,
        ``Checkpoint`` and ``Notice`` events; ``Preview`` of ``plan.preview_region``; one
        :class:`Result` a method, the baseline's first; last ``Done``, whose reason is
        ``"stopped"`` if the run was, else ``"finished"``.

    Raises
    ------
    InputError
        If a frame holds values that are not finite, there is no such device, or a reconstruction
        is to be written to ``folder``; nothing was started then.
    FileError
        If nothing can be written to ``folder``, or it has no room.
    OutOfMemoryError
        If memory ran out. A ``Result`` with what was reached came before, if anything was.
    UnstableTrainingError
        If training failed for good.
    JobFailedError
        Anything unexpected, chained. It is no ``RuntimeError``, which Qt workers swallow.
    """
    # The one place where a run loads torch.
    from napari_selfsup_recon.runs._job import Job
    from napari_selfsup_recon.runs._recon_job import ReconJob
    from napari_selfsup_recon.training.device import pick_device

    if folder is not None and plan.problem is not None:
        raise InputError(
            "Only what is sharpened or denoised can be written to disk frame by frame.",
            hint="Take fewer slices, or let the result lie in memory.",
        )
    control = control or Control()
    device = pick_device(plan.device)
    with limited_threads(control.threads):
        try:
            if plan.problem is None:
                place = None if folder is None else Path(folder)
                yield from Job(plan, control, device, keep_models, reuse, place).run()
            else:
                yield from ReconJob(plan, control, device, keep_models, reuse).run()
        except ReconError as error:
            _let_go(error)
            raise
        except Exception as error:
            known = as_recon_error(error, device.type)
            _let_go(known)
            raise known from error
        finally:
            _release(device.type)


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads of the CPU for a while; None changes nothing."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        if count is not None:
            torch.set_num_threads(before)


def _let_go(error: ReconError) -> None:
    """Free what the frames of an out-of-memory error hold: it is what filled the memory."""
    link: BaseException | None = error if isinstance(error, OutOfMemoryError) else None
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def _release(device: str) -> None:
    """Give cached memory of the GPU back."""
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()
