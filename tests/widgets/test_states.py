"""Every state, one look."""

from __future__ import annotations

import pytest

from napari_selfsup_recon.widgets.states import Look, State, look


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("blocked", ["", "The image is constant."])
def test_the_rules_hold_in_every_state(state, blocked):
    shown = look(state, blocked=blocked)
    assert isinstance(shown, Look)
    assert shown.text
    assert shown.can_edit != state.busy
    assert shown.shows_progress == state.busy
    # What starts and what ends work are never offered together.
    assert not (shown.can_run and (shown.can_stop or shown.can_discard))
    assert shown.can_run == shown.can_preview
    assert not (shown.can_run and blocked)
    assert not (shown.can_pause and shown.shows_resume)
    # Whoever is busy can be ended.
    assert shown.can_discard == state.busy
    if blocked and not state.busy and state is not State.EMPTY:
        assert shown.text == blocked


@pytest.mark.parametrize(
    ("state", "run", "pause", "resume", "stop"),
    [
        (State.EMPTY, False, False, False, False),
        (State.READY, True, False, False, False),
        (State.PREVIEWING, False, True, False, True),
        (State.RUNNING, False, True, False, True),
        (State.PAUSED, False, False, True, True),
        (State.STOPPING, False, False, False, False),
        (State.DONE, True, False, False, False),
        (State.FAILED, True, False, False, False),
    ],
)
def test_what_each_state_offers(state, run, pause, resume, stop):
    shown = look(state)
    assert (shown.can_run, shown.can_pause, shown.shows_resume, shown.can_stop) == (
        run,
        pause,
        resume,
        stop,
    )


def test_the_table_is_complete():
    assert {state.name for state in State} == {
        "EMPTY",
        "READY",
        "PREVIEWING",
        "RUNNING",
        "PAUSED",
        "STOPPING",
        "DONE",
        "FAILED",
    }
