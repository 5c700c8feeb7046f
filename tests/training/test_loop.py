"""The loop on a trainee whose every number is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from napari_selfsup_recon.core.errors import UnstableTrainingError
from napari_selfsup_recon.core.events import Checkpoint, Done, Notice, Step
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.training.loop import Loop, LoopSettings
from napari_selfsup_recon.training.trainee import Trainee, Work


class Line(Trainee):
    """Fits a number to noisy draws; can be told to fail at given steps."""

    def __init__(self, *, nan_at: tuple[int, ...] = (), dead: int = 0, floor: float = 0.0) -> None:
        self.nan_at = nan_at
        self.dead = dead
        self.floor = floor
        self.begun: list[int] = []
        self.looks: list[int] = []

    def begin(self, attempt: int) -> None:
        self.attempt = attempt
        self.begun.append(attempt)
        self.model = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.model.weight.fill_(0.0)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=0.05)

    def step(self, index: int) -> Work:
        yield
        if index in self.nan_at and self.attempt == 0:
            return float("nan")
        generator = torch_generator("line", self.attempt, index)
        target = 1 + 0.1 * torch.randn(1, generator=generator)
        loss = (self.model(torch.ones(1)) - target).square().sum()
        self.optimiser.zero_grad()
        if self.attempt >= self.dead:
            loss.backward()
            self.optimiser.step()
        return float(loss.detach())

    def score(self, model: nn.Module) -> Work:
        yield
        return max(float((model(torch.ones(1)) - 1).abs().detach()), self.floor)

    def trivial_score(self) -> float:
        return 1.0

    def state(self) -> dict[str, Any]:
        return {"optimiser": self.optimiser.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])


def events(loop: Loop) -> list[Any]:
    return list(loop.run())


def test_every_step_is_reported_once_and_pieces_in_between() -> None:
    loop = Loop(Line(), LoopSettings(steps=60, score_every=20, checkpoint_every=0))
    seen = events(loop)
    finished = [e for e in seen if isinstance(e, Step) and e.finished]
    assert [e.index for e in finished] == list(range(1, 61))
    assert [e.index for e in finished if e.score is not None] == [20, 40, 60]
    assert sum(isinstance(e, Step) and not e.finished for e in seen) == 60 + 3
    assert seen[-1] == Done(step=loop.best_step, reason="finished")
    assert loop.best_score < 0.1


def test_the_best_weights_belong_to_the_best_score() -> None:
    loop = Loop(Line(), LoopSettings(steps=200, score_every=10))
    events(loop)
    best = min(loop.history, key=lambda mark: mark[1])
    assert (loop.best_step, loop.best_score) == best
    loop.average.load(loop.best_weights)
    work = loop.trainee.score(loop.average.module)
    next(work)
    with pytest.raises(StopIteration) as end:
        next(work)
    assert end.value.value == loop.best_score


def test_what_the_score_cannot_tell_is_decided_by_having_learned_longer() -> None:
    scores = [0.5, 0.2, 0.3, 0.21, 0.215, 0.25]

    class Known(Line):
        def score(self, model: nn.Module) -> Work:
            yield
            return scores[self.looks.pop(0)]

    def kept(margin: float) -> tuple[int, float]:
        trainee = Known()
        trainee.looks = list(range(6))
        loop = Loop(trainee, LoopSettings(steps=60, score_every=10, margin=margin))
        events(loop)
        return loop.best_step, loop.best_score

    assert kept(0.0) == (20, 0.2)
    assert kept(0.1) == (50, 0.215)  # of the least score, not of the last one that was taken
    assert kept(0.3) == (60, 0.25)


def test_patience_ends_a_run_that_no_longer_improves() -> None:
    loop = Loop(Line(floor=0.3), LoopSettings(steps=1000, score_every=10, patience=50))
    last = events(loop)[-1]
    assert last.reason == "converged"
    assert loop.done == loop.best_step + 50


def test_stopping_at_any_event_leaves_weights() -> None:
    for count in (0, 1, 7, 40):
        loop = Loop(Line(), LoopSettings(steps=100, score_every=5))
        run = loop.run()
        for _ in range(count):
            next(run)
        run.close()
        assert set(loop.best_weights) == {"weight"}


def test_before_the_first_look_the_running_average_is_used() -> None:
    loop = Loop(Line(), LoopSettings(steps=100, score_every=50))
    run = loop.run()
    for event in run:
        if event.index == 30 and event.finished:
            break
    assert float(loop.weights["weight"]) > 0.3
    assert float(loop.best_weights["weight"]) == 0.0


def test_a_loss_that_is_not_a_number_rolls_back_to_the_best_weights() -> None:
    trainee = Line(nan_at=(150,))
    loop = Loop(trainee, LoopSettings(steps=200, score_every=20, grace=100))
    seen = events(loop)
    notices = [e for e in seen if isinstance(e, Notice)]
    assert len(notices) == 1
    assert "going on from step" in notices[0].message
    assert trainee.begun == [0, 1]
    assert loop.best_score < 0.1
    assert loop.done == 200


def test_an_early_failure_starts_again() -> None:
    trainee = Line(nan_at=(3,))
    loop = Loop(trainee, LoopSettings(steps=100, score_every=20))
    seen = events(loop)
    assert any("starting again" in e.message for e in seen if isinstance(e, Notice))
    assert loop.done == 100
    assert loop.best_score < 0.1


def test_a_collapsed_run_is_found_and_restarted() -> None:
    trainee = Line(dead=2)
    loop = Loop(trainee, LoopSettings(steps=150, score_every=25, grace=50))
    seen = events(loop)
    assert trainee.begun == [0, 1, 2]
    assert [e.level for e in seen if isinstance(e, Notice)] == ["warning", "warning"]
    assert loop.best_score < 0.2


def test_hopeless_training_says_so() -> None:
    loop = Loop(Line(dead=99), LoopSettings(steps=150, score_every=25, grace=50, restarts=2))
    with pytest.raises(UnstableTrainingError, match="3 times") as caught:
        events(loop)
    assert "learning rate" in caught.value.hint


@pytest.mark.parametrize("at", [1, 2, 3])
def test_resuming_equals_running_through(at: int) -> None:
    settings = LoopSettings(steps=120, score_every=15, checkpoint_every=30)
    through = Loop(Line(nan_at=(50,)), settings)
    states = [e.state for e in through.run() if isinstance(e, Checkpoint)]
    resumed = Loop(Line(nan_at=(50,)), settings)
    resumed.load_state(states[at - 1])
    events(resumed)
    assert resumed.history == through.history
    assert torch.equal(resumed.trainee.model.weight, through.trainee.model.weight)
    assert torch.equal(resumed.best_weights["weight"], through.best_weights["weight"])


def test_a_checkpoint_is_not_changed_by_what_follows() -> None:
    loop = Loop(Line(), LoopSettings(steps=60, checkpoint_every=20))
    run = loop.run()
    state = next(e.state for e in run if isinstance(e, Checkpoint))
    before = state["model"]["weight"].clone()
    list(run)
    assert torch.equal(state["model"]["weight"], before)
