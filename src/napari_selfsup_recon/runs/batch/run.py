"""From the plan of a batch to events: row by row, and one that fails stops no other."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from napari_selfsup_recon.core.errors import FileError, JobFailedError, ReconError
from napari_selfsup_recon.core.events import Checkpoint, Done, Event, Notice, Preview
from napari_selfsup_recon.runs.batch.control import BatchControl
from napari_selfsup_recon.runs.batch.events import RowChanged, RowReport, RowState
from napari_selfsup_recon.runs.batch.journal import Journal
from napari_selfsup_recon.runs.batch.plan import BatchPlan, row_config
from napari_selfsup_recon.runs.batch.rows import Row, companions_of
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.runs.plan import RunPlan, resolve
from napari_selfsup_recon.runs.reading import read_source
from napari_selfsup_recon.runs.result import Result, companion_names

Run = Callable[[RunPlan, Control], Iterator[Event]]


def run_batch(
    plan: BatchPlan, control: BatchControl | None = None, *, run: Run = execute
) -> Iterator[Event]:
    """Work through a batch; a generator of events that lets go of everything when it is closed.

    What was done is kept in ``selfsup_batch.json`` beside the results. The same plan again goes on
    where it was ended: rows whose result is there are passed over, those that failed are tried
    again. Results appear in one go, so that one that is there is complete.

    Parameters
    ----------
    plan
        From :func:`~napari_selfsup_recon.runs.batch.plan.plan_batch`.
    control
        Handle to end it.
    run
        What executes the plan of a row; for tests.

    Yields
    ------
    Event
        First one ``RowChanged`` a row: whether it waits, has a result already, or cannot be run
        since its file is missing. Then, for each row that waits, ``RowChanged`` as it begins and
        ends; in between the ``Stage``, ``Step`` and ``Notice`` events of its run. Last ``Done``,
        whose ``result`` are the reports of all rows, ``step`` is the number of rows that were done,
        and ``reason`` is ``"stopped"`` if rows are left because it was stopped, else
        ``"finished"``.

    Raises
    ------
    FileError
        If a folder for results cannot be made, or its record is not one; no row was begun then.
        Whatever goes wrong with a row is told in its report.
    """
    control = control or BatchControl()
    folders = dict.fromkeys(row.output.parent for row in plan.rows)
    for folder in folders:
        _make(folder)
    journal, settings = Journal(folders), plan.settings
    reports = []
    for index, row in enumerate(plan.rows):
        reports.append(_standing(plan, row, journal, settings))
        yield RowChanged(index, reports[-1])
    done = 0
    for index, row in enumerate(plan.rows):
        if reports[index].state is not RowState.WAITING:
            continue
        if control.stopping:
            break
        yield RowChanged(index, RowReport(RowState.RUNNING))
        reports[index] = yield from _run_row(plan, row, control, run)
        done += reports[index].state is RowState.DONE
        if reports[index].state is not RowState.WAITING:
            try:
                journal.note(row, reports[index], settings)
            except OSError as error:
                yield Notice(f"The record of the batch cannot be written: {error}.", "warning")
        yield RowChanged(index, reports[index])
    left = any(report.state is RowState.WAITING for report in reports)
    yield Done(tuple(reports), step=done, reason="stopped" if left else "finished")


def _standing(plan: BatchPlan, row: Row, journal: Journal, settings: str) -> RowReport:
    """Return where a row stands before anything is run."""
    from napari_selfsup_recon.io import volumes

    if not row.input.path.exists():
        return RowReport(
            RowState.FAILED, f"There is no file {str(row.input.path)!r}.", "Check the name."
        )
    if plan.overwrite or not row.output.exists():
        return RowReport()
    if journal.made(row, settings):
        return RowReport(RowState.EXISTS, "It was made before, with the same settings.")
    try:
        volumes.read(row.output)
    except ReconError as error:
        return RowReport(
            RowState.FAILED,
            f"{row.output.name} exists, but cannot be used: {error.message}",
            "Remove it, or let results be overwritten.",
        )
    return RowReport(
        RowState.EXISTS,
        f"{row.output.name} exists and was left as it is; it may come from other settings.",
        "To make it anew, let results be overwritten, or write to another folder.",
    )


def _run_row(
    plan: BatchPlan, row: Row, control: BatchControl, run: Run
) -> Generator[Event, None, RowReport]:
    """Run one row and write its result; whatever goes wrong is in the report."""
    began = perf_counter()
    try:
        kspace = plan.config.physics.instrument == "mri"
        measurement = read_source(
            row.input.path,
            plan.reading,
            scene=row.input.scene,
            level=plan.config.level,
            kspace=kspace,
        )
        config = row_config(plan, row, measurement)
        _check_outputs(plan, row)
        todo = resolve(config, measurement, psf=plan.psf, given=dict(plan.given))
        for warning in todo.warnings:
            yield Notice(f"{row.name}: {warning}", "warning")
        result: Result | None = None
        # The row itself is never stopped on its way: its result would not be like the others.
        with closing(
            cast(Any, run(todo, Control(threads=control.threads, show_preview=False)))
        ) as (events):
            for event in events:
                if control.leaving:
                    return RowReport()
                if isinstance(event, Result):
                    result = event if event.key == plan.key else result
                elif isinstance(event, Notice):
                    yield replace(event, message=f"{row.name}: {event.message}")
                elif not isinstance(event, Done | Preview | Checkpoint):
                    yield event
        if result is None:
            raise JobFailedError("The run gave no result.", hint="Try this file by itself.")
        _write(plan, row, result)
    except Exception as error:
        details = traceback.format_exc()
        known = as_recon_error(error)
        took = perf_counter() - began
        return RowReport(RowState.FAILED, known.message, known.hint, details, took)
    return RowReport(RowState.DONE, seconds=perf_counter() - began, label=result.label)


def _companions(plan: BatchPlan, row: Row) -> dict[str, Path]:
    """Return where the companions of a result go, where they are asked for."""
    return companions_of(row.output, companion_names(plan.config))


def _check_outputs(plan: BatchPlan, row: Row) -> None:
    from napari_selfsup_recon.io import volumes

    for path in (row.output, *_companions(plan, row).values()):
        volumes.check_writable(path, overwrite=plan.overwrite)


def _write(plan: BatchPlan, row: Row, result: Result) -> None:
    """Write a result, its companions first: where the result is, all is."""
    from napari_selfsup_recon.io import volumes

    places = _companions(plan, row)
    images = {places[n]: m for n, m in result.companions.items() if n in places}
    for path, measurement in (images | {row.output: result.measurement}).items():
        volumes.write(path, measurement, provenance=result.provenance, overwrite=plan.overwrite)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"The folder {str(folder)!r} cannot be made: {error.strerror or error}.",
            hint="Choose a folder of your own.",
        ) from error
