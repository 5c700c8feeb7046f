"""The states of the window, and the one function that says what each of them shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class State(Enum):
    """What the window is doing."""

    EMPTY = auto()
    """There is no image that could be worked on."""
    READY = auto()
    PREVIEWING = auto()
    """A quick try on a crop is under way."""
    RUNNING = auto()
    PAUSED = auto()
    STOPPING = auto()
    """Asked to stop; the best result so far is being made."""
    DONE = auto()
    FAILED = auto()

    @property
    def busy(self) -> bool:
        """Whether a job is under way (or paused)."""
        return self in _BUSY


_BUSY = frozenset({State.PREVIEWING, State.RUNNING, State.PAUSED, State.STOPPING})


@dataclass(frozen=True)
class Look:
    """What is enabled, visible and written in one state."""

    can_edit: bool
    can_preview: bool
    can_run: bool
    shows_progress: bool
    can_pause: bool
    shows_resume: bool
    """Resume takes the place of Pause; a button never changes its meaning."""
    can_stop: bool
    can_discard: bool
    text: str


def look(state: State, *, blocked: str = "") -> Look:
    """Return what is enabled, visible and written in ``state``.

    Parameters
    ----------
    state
        What the window is doing.
    blocked
        Why nothing can be started (the image or the PSF cannot be used), empty where all is well.
    """
    busy = state.busy
    idle = not busy and state is not State.EMPTY and not blocked
    active = state in (State.RUNNING, State.PREVIEWING)
    return Look(
        can_edit=not busy,
        can_preview=idle,
        can_run=idle,
        shows_progress=busy,
        can_pause=active,
        shows_resume=state is State.PAUSED,
        can_stop=active or state is State.PAUSED,
        can_discard=busy,
        text=blocked if blocked and not busy and state is not State.EMPTY else _TEXTS[state],
    )


_TEXTS = {
    State.EMPTY: "Open an image, or try a sample.",
    State.READY: "Ready.",
    State.PREVIEWING: "Trying it on a small part...",
    State.RUNNING: "Running...",
    State.PAUSED: "Paused.",
    State.STOPPING: "Stopping...",
    State.DONE: "Done.",
    State.FAILED: "It did not work; see above. Results that were reached are kept.",
}
