"""The command that runs one configuration on many files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any, cast

from napari_selfsup_recon.cli._job import reading_of
from napari_selfsup_recon.cli._progress import Progress, interruptible
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Done
from napari_selfsup_recon.runs.batch.control import BatchControl
from napari_selfsup_recon.runs.batch.events import RowChanged, RowReport, RowState
from napari_selfsup_recon.runs.batch.files import images_in, without_results
from napari_selfsup_recon.runs.batch.parts import Part, parts_of
from napari_selfsup_recon.runs.batch.plan import BatchPlan, plan_batch
from napari_selfsup_recon.runs.batch.rows import ENDING, Input
from napari_selfsup_recon.runs.batch.run import run_batch
from napari_selfsup_recon.runs.config import RunConfig

SOME_FAILED, ENDED = 1, 130

EPILOG = """
Ctrl-C ends after the file that is under way; a second Ctrl-C ends at once, without its result.
"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "config", metavar="RUN.TOML", help="the run, as the dock saves it and --dump-config prints"
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILES", help="images, patterns such as '*.tif', or folders"
    )
    out = parser.add_argument_group("results")
    out.add_argument(
        "-o", "--output", metavar="FOLDER", help="where results go (default: beside their inputs)"
    )
    out.add_argument(
        "--suffix", default="", help="behind the name of the file (default: name of the method)"
    )
    out.add_argument(
        "--format",
        default=ENDING,
        metavar="ENDING",
        help=f".ome.tif, .tif, .npy or .ome.zarr (default: {ENDING})",
    )
    out.add_argument("--overwrite", action="store_true", help="make results anew that exist")
    out.add_argument("-q", "--quiet", action="store_true", help="print what failed only")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--split",
        default="",
        metavar="BY,...",
        help="a result for each scene, time or channel of a file (for example scene,channel)",
    )
    data.add_argument("--time", default="", metavar="N|A:B", help="times to work on, from 0")
    data.add_argument("--channel", default="", metavar="N|A:B", help="channels to work on, from 0")
    data.add_argument("--axes", help="names of the axes where the files do not say: tczyx")
    data.add_argument(
        "--voxel-size", metavar="Z,Y,X", help="where the files do not say; in --units"
    )
    data.add_argument("--units", metavar="UNIT", help="unit of --voxel-size (default: micrometer)")


def run(arguments: argparse.Namespace) -> int:
    """Run ``batch``; return the exit code."""
    config = RunConfig.load_toml(arguments.config)
    reading = reading_of(arguments)
    plan = plan_batch(
        config,
        _inputs(arguments),
        folder=Path(arguments.output).expanduser() if arguments.output else None,
        suffix=arguments.suffix,
        ending=arguments.format,
        overwrite=arguments.overwrite,
        reading=reading,
    )
    reports, stopped = _execute(plan, quiet=arguments.quiet)
    failed = [n for n, report in enumerate(reports) if report.state is RowState.FAILED]
    if not arguments.quiet:
        print("\n".join(table(plan, reports)))
    elif failed:
        print("\n".join(table(plan, reports, only=failed)), file=sys.stderr)
    if stopped:
        return ENDED
    return SOME_FAILED if failed else 0


def table(
    plan: BatchPlan, reports: Sequence[RowReport], only: Iterable[int] | None = None
) -> list[str]:
    """Return the rows as lines of text, and how many there are of each state."""
    rows = [("file", "state", "time", "result or cause")]
    for n in range(len(reports)) if only is None else only:
        row, report = plan.rows[n], reports[n]
        took = f"{report.seconds:.1f} s" if report.seconds else ""
        words = f"{report.message} {report.hint}".strip()
        if report.state is RowState.DONE:
            words = str(row.output)
        rows.append((row.name, str(report.state), took, words))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]
    counts = [(state, sum(r.state is state for r in reports)) for state in RowState]
    return [*lines, ", ".join(f"{count} {state}" for state, count in counts if count)]


def _inputs(arguments: argparse.Namespace) -> list[Input]:
    """Return what the arguments name; results of earlier batches are left out."""
    paths: list[Path] = []
    for text in arguments.files:
        path = Path(text).expanduser()
        if path.is_dir() and path.suffix.lower() != ".zarr":
            paths += images_in(path)
        elif not path.exists() and has_magic(text):  # shells that leave patterns as they are
            found = sorted(Path(name) for name in glob(str(path)))
            if not found:
                raise InputError(f"No file has a name like {text!r}.", hint="Check the pattern.")
            paths += found
        else:
            paths.append(path)
    inputs = [Input(path) for path in without_results(paths)]
    by = tuple(cast(Part, part.strip()) for part in arguments.split.split(",") if part.strip())
    for key in ("time", "channel"):
        if key in by and getattr(arguments, key):
            raise InputError(
                f"--{key} and --split {key} exclude each other.", hint="Leave one of them out."
            )
    if by:
        inputs = [part for one in inputs for part in _split(one, by, arguments)]
    return [
        replace(
            one,
            time=one.time or arguments.time,
            channel=one.channel or arguments.channel,
        )
        for one in inputs
    ]


def _split(one: Input, by: tuple[Part, ...], arguments: argparse.Namespace) -> list[Input]:
    """Return the parts of a file; one that cannot be read becomes a row that says so."""
    try:
        return parts_of(one.path, by, reading_of(arguments))
    except FileError:
        return [one]


def _execute(plan: BatchPlan, *, quiet: bool) -> tuple[list[RowReport], bool]:
    """Run the plan; return the reports of all rows, and whether rows are left."""
    control = BatchControl()
    reports = [RowReport() for _ in plan.rows]
    stopped = False

    def leave() -> bool:
        if control.leaving:
            return False
        control.leave()
        return True

    says = "Stopping after this file. Ctrl-C again stops at once, without its result."
    with (
        Progress(quiet=quiet) as progress,
        interruptible(control, progress, says=says, again=leave),
        closing(cast(Any, run_batch(plan, control))) as events,
    ):
        for event in events:
            if isinstance(event, RowChanged):
                reports[event.index] = event.report
                _say(progress, plan, event)
            else:
                stopped = isinstance(event, Done) and event.reason == "stopped"
                progress.show(event)
    return reports, stopped


def _say(progress: Progress, plan: BatchPlan, event: RowChanged) -> None:
    row, report = plan.rows[event.index], event.report
    if report.state is RowState.RUNNING:
        progress.say(f"{event.index + 1}/{len(plan.rows)} {row.name}")
    elif report.state is not RowState.WAITING:
        progress.end()
        progress.say(f"{row.name}: {report.state}. {report.message}".strip())
