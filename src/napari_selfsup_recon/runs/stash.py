"""What a run has learned, kept while it trains: it outlives the window that it trained in.

One file a run in a folder of the user, written now and then and removed when the run ends. A file
that is left belongs to a run whose window was closed, or whose program was killed.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, cast

import platformdirs
import psutil

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.events import Event, Step
from napari_selfsup_recon.core.provenance import versions
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.plan import RunPlan

logger = logging.getLogger("napari_selfsup_recon")

#: Of this many runs what was learned is kept; older files are removed.
MOST = 3
MOST_BYTES = 512 * 2**20
MOST_DAYS = 30.0
#: Seconds of training from which on it is worth keeping, and between two writes.
WORTH, EVERY = 5.0, 30.0
# Writing takes this share of the time at most.
_SHARE = 0.02
# What is larger is not written once more when the window is closed: that has to be quick.
_QUICK = 96 * 2**20
# Files of runs that are under way in this program.
_LIVE: set[Path] = set()
_ENDING = ".safetensors"

Events = Iterator[Event]


def folder() -> Path:
    """Return where the files lie: what ``NSR_STATE`` names, else the user's folder for states."""
    named = os.environ.get("NSR_STATE")
    own = Path(named) if named else platformdirs.user_state_path("napari-selfsup-recon", False)
    return own / "unfinished"


@dataclass(eq=False)
class Stash:
    """The file of one run; used in the thread of the run.

    Attributes
    ----------
    describe
        Returns the facts of the run, JSON-safe, and what it was given (nested numbers and arrays).
        Called once.
    path
        The file.
    """

    describe: Callable[[], tuple[dict[str, Any], dict[str, Any]]]
    path: Path = field(default_factory=lambda: folder() / f"{secrets.token_hex(8)}{_ENDING}")
    _told: tuple[dict[str, Any], dict[str, Any]] | None = None
    _began: float | None = None
    _next: float = WORTH
    _size: int = 0
    _given_up: bool = False
    _dropped: bool = False

    def drop(self) -> None:
        """Keep nothing; thread-safe."""
        self._dropped = True

    def begin(self) -> None:
        """Training begins, unless it has."""
        if self._began is None:
            self._began = time.monotonic()
            _LIVE.add(self.path)

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return self._began is not None and self._seconds >= self._next

    @property
    def worth(self) -> bool:
        """Whether enough was learned, and somebody may want it."""
        return self._began is not None and self._seconds >= WORTH and not self._dropped

    @property
    def quick(self) -> bool:
        """Whether it is written in an instant."""
        return self._size <= _QUICK

    @property
    def _seconds(self) -> float:
        return time.monotonic() - (self._began or 0.0)

    def write(self, snapshot: Mapping[str, Any], step: int, total: int) -> None:
        """Write what was learned; where that is not possible, it is not tried again."""
        from napari_selfsup_recon.io.states import save_state

        if self._given_up or self._dropped:
            return
        began = time.monotonic()
        try:
            facts, given = self._told = self._told or self.describe()
            reached = int(snapshot.get("step", step))
            own = {"step": reached, "total": total, "when": time.time(), "versions": versions()}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._size = save_state(
                self.path,
                {**facts, **own, "process": _process(os.getpid())},
                {"state": dict(snapshot), "given": given},
                MOST_BYTES,
            )
            _tidy(self.path)
        except (ReconError, OSError) as error:
            self._given_up = True
            logger.info("What a run learns is not kept: %s", error)
        took = time.monotonic() - began
        self._next = self._seconds + max(EVERY, took / _SHARE)

    def end(self) -> None:
        """The run is over; what is in the file now stays there."""
        _LIVE.discard(self.path)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def run_and_stash(
    run: Callable[[RunPlan, Control], Events], stash: Stash, plan: RunPlan, control: Control
) -> Events:
    """Run, and keep what is learned until the run has ended; only of runs of one frame."""
    single = plan.problem is not None or prod(plan.measurement.leading_shape) == 1
    step = Step(0, 0)
    latest: Callable[[], Mapping[str, Any]] | None = None
    try:
        with closing(cast(Any, run(plan, control))) as events:
            for event in events:
                snapshot = control.snapshot if single else None
                if snapshot is not None and isinstance(event, Step) and event.finished:
                    step, latest = event, snapshot
                    stash.begin()
                    if stash.due:
                        stash.write(snapshot(), step.index, step.total)
                yield event
    except GeneratorExit:
        if not stash.worth:
            stash.remove()
        elif latest is not None and stash.quick:
            stash.write(latest(), step.index, step.total)
        raise
    except BaseException:
        stash.remove()
        raise
    else:
        stash.remove()
    finally:
        stash.end()


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A run that was ended with its window.

    Attributes
    ----------
    path
        Its file.
    facts
        What :attr:`Stash.describe` told.
    """

    path: Path
    facts: Mapping[str, Any]

    def read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the state of the training, and what the run was given; loads torch.

        Raises
        ------
        FileError
            If the file is gone or damaged.
        """
        from napari_selfsup_recon.io.states import read_state

        found = read_state(self.path)
        return dict(found["state"]), dict(found["given"])

    def remove(self) -> None:
        """Forget it."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def unfinished() -> list[Unfinished]:
    """Return the runs that can go on, the latest first; those of other versions are passed over."""
    from napari_selfsup_recon.io.states import read_facts

    found = []
    for path in _files(folder()):
        try:
            facts = read_facts(path)
        except ReconError:
            continue
        own = facts.get("versions")
        if path not in _LIVE and own == versions() and not _runs(facts.get("process")):
            found.append(Unfinished(path, facts))
    return found


def _files(where: Path) -> list[Path]:
    """Return the files, the latest first."""
    with suppress(OSError):
        paths = [path for path in where.glob(f"*{_ENDING}") if not path.name.startswith(".")]
        return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    return []


def _tidy(own: Path) -> None:
    """Remove what is too old or too much; never ``own``."""
    oldest = time.time() - MOST_DAYS * 86400
    for number, path in enumerate(_files(own.parent)):
        with suppress(OSError):
            if path != own and (number >= MOST or path.stat().st_mtime < oldest):
                path.unlink()


def _process(number: int) -> list[float]:
    """Return what tells a process from others, those before it with the same number included."""
    return [number, round(psutil.Process(number).create_time(), 1)]


def _runs(process: Any) -> bool:
    """Whether the program that wrote a file is still there, and it is not this one."""
    try:
        number, began = process
        return number != os.getpid() and _process(int(number)) == [number, began]
    except (psutil.Error, TypeError, ValueError):
        return False
