"""What a batch tells of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from napari_selfsup_recon.core.events import Event


class RowState(StrEnum):
    """Where a row stands; the value is what people read."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    EXISTS = "exists already"
    FAILED = "failed"

    @property
    def has_result(self) -> bool:
        """Whether there is a file to open."""
        return self in (RowState.DONE, RowState.EXISTS)


@dataclass(frozen=True, slots=True)
class RowReport:
    """What is known of a row.

    Attributes
    ----------
    state
        Where it stands.
    message, hint
        Of a failed row what is wrong and the way out; of others what is worth knowing.
    details
        What a report of a bug needs.
    seconds
        How long it took.
    label
        Short name of the result, for example ``"SSI 600"``.
    """

    state: RowState = RowState.WAITING
    message: str = ""
    hint: str = ""
    details: str = ""
    seconds: float = 0.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class RowChanged(Event):
    """Row ``index`` of the plan stands where ``report`` says."""

    index: int
    report: RowReport
