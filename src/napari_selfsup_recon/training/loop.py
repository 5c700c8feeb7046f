"""The one training loop: a generator of events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import Any

from torch import Tensor

from napari_selfsup_recon.core.errors import UnstableTrainingError
from napari_selfsup_recon.core.events import Checkpoint, Done, Event, Notice, Step
from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.training.averaging import AveragedModel
from napari_selfsup_recon.training.trainee import Trainee, Work, copied


@dataclass(frozen=True)
class LoopSettings:
    """How long to train, how often to look, when to give up.

    Attributes
    ----------
    steps
        Steps of the run.
    score_every
        Steps between two held-out scores.
    patience
        Steps without a better score after which the run is called converged.
    decay
        Of the weight average.
    restarts
        How often a collapsed or unstable run is begun again.
    grace
        Steps after which a run that is no better than a constant counts as collapsed.
    checkpoint_every
        Steps between two checkpoints; 0 for none.
    score_first
        Whether the first weights are a candidate, too.
    margin
        What the held-out score cannot tell, as a share of it: later weights are preferred to
        earlier ones whose score is lower by no more than that.
    """

    steps: int
    score_every: int = 25
    patience: int = 200
    decay: float = 0.99
    restarts: int = 3
    grace: int = 100
    checkpoint_every: int = 100
    score_first: bool = False
    margin: float = 0.0


class Loop:
    """Trains a :class:`Trainee` and keeps its best averaged weights.

    Attributes
    ----------
    best_weights
        Averaged weights with the best held-out score so far, or the latest that are as good.
    best_score, best_step
        Their score and the number of steps that made them.
    history
        ``(step, score)`` of every look.
    """

    def __init__(self, trainee: Trainee, settings: LoopSettings) -> None:
        self.trainee = trainee
        self.settings = settings
        self.attempt = 0
        self.done = 0
        self._begin()

    def _begin(self) -> None:
        self.trainee.begin(self.attempt)
        self.done = 0
        self.average = AveragedModel(self.trainee.model, self.settings.decay)
        self.best_weights: dict[str, Tensor] = self.average.weights()
        self.best_score = float("inf")
        self.best_step = 0
        self.history: list[tuple[int, float]] = []

    def _roll_back(self) -> None:
        """Go on from the best weights with a fresh optimiser."""
        self.trainee.begin(self.attempt)
        self.trainee.model.load_state_dict(self.best_weights)
        self.average.load(self.best_weights)
        self.done = self.best_step
        self.history = [mark for mark in self.history if mark[0] <= self.done]

    @property
    def weights(self) -> dict[str, Tensor]:
        """Best weights so far; before the first look, the running average."""
        return self.best_weights if self.history else self.average.weights()

    def run(self) -> Iterator[Event]:
        """Train to the end; ``Done.reason`` is ``"finished"``, ``"converged"`` or ``"unstable"``.

        Raises
        ------
        UnstableTrainingError
            If every restart collapsed or became unstable as well.
        """
        settings = self.settings
        clock = _Clock(settings.steps)
        if settings.score_first and not self.done:
            self._look((yield from self._pieces(self.trainee.score(self.average.module))))
        while self.done < settings.steps:
            loss = yield from self._pieces(self.trainee.step(self.done))
            trouble = "" if isfinite(loss) else "the loss is not a number"
            score = None
            if not trouble:
                self.average.update(self.trainee.model, self.done)
                self.done += 1
                if self.done % settings.score_every == 0 or self.done == settings.steps:
                    score = yield from self._pieces(self.trainee.score(self.average.module))
                    trouble = self._look(score)
            if trouble:
                if self.attempt >= settings.restarts:
                    yield from self._give_up(trouble)
                    return
                yield from self._restart(trouble)
                clock = _Clock(settings.steps)
                continue
            left = clock.seconds_left(self.done)
            yield Step(self.done, settings.steps, loss, score, left)
            if settings.checkpoint_every and self.done % settings.checkpoint_every == 0:
                yield Checkpoint(self.done, self.state())
            if score is not None and self.done - self.best_step >= settings.patience:
                yield Done(step=self.best_step, reason="converged")
                return
        yield Done(step=self.best_step, reason="finished")

    def _pieces(self, work: Work) -> Generator[Event, None, float]:
        """Run work piece by piece with an event between; returns its number."""
        between = Step(self.done, self.settings.steps, finished=False)
        return (yield from relay(work, lambda _: between))

    def _look(self, score: float) -> str:
        """Take a held-out score into account; return what is wrong, if anything."""
        if not isfinite(score):
            return "the held-out score is not a number"
        least = min((mark[1] for mark in self.history), default=float("inf"))
        self.history.append((self.done, score))
        if score < (1 + self.settings.margin) * least:
            self.best_score, self.best_step = score, self.done
            self.best_weights = self.average.weights()
        if self.done >= self.settings.grace and not self._usable:
            return "the network answers with a constant"
        return ""

    @property
    def _usable(self) -> bool:
        return self.best_score < 0.98 * self.trainee.trivial_score()

    def _restart(self, trouble: str) -> Iterator[Event]:
        self.attempt += 1
        where = f"At step {self.done} {trouble}"
        if self._usable:
            self._roll_back()
            yield Notice(f"{where}; going on from step {self.done}, more slowly.", "warning")
        else:
            self._begin()
            yield Notice(f"{where}; starting again.", "warning")

    def _give_up(self, trouble: str) -> Iterator[Event]:
        if not self._usable:
            raise UnstableTrainingError(
                f"Training failed {self.attempt + 1} times: {trouble}.",
                hint="Lower the learning rate, or check that what was given beside the image (PSF, "
                "angles, mask, clean examples) fits it.",
            )
        yield Notice(f"Training stopped early: {trouble}. The best result is kept.", "warning")
        yield Done(step=self.best_step, reason="unstable")

    def state(self) -> dict[str, Any]:
        """Return everything that :meth:`load_state` needs to resume bit-exactly on the CPU."""
        state: dict[str, Any] = copied(
            {
                "step": self.done,
                "attempt": self.attempt,
                "model": self.trainee.model.state_dict(),
                "trainee": self.trainee.state(),
                "average": self.average.weights(),
                "best_weights": self.best_weights,
                "best_score": self.best_score,
                "best_step": self.best_step,
                "history": self.history,
            }
        )
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        state = copied(dict(state))
        self.attempt = state["attempt"]
        self._begin()
        self.done = state["step"]
        self.trainee.model.load_state_dict(state["model"])
        self.trainee.load_state(state["trainee"])
        self.average.load(state["average"])
        self.best_weights = {
            name: value.to(self.best_weights[name].device)
            for name, value in state["best_weights"].items()
        }
        self.best_score, self.best_step = state["best_score"], state["best_step"]
        self.history = list(state["history"])


class _Clock:
    """Estimates the time left from the last steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._marks: list[tuple[int, float]] = []

    def seconds_left(self, done: int) -> float | None:
        self._marks = [*self._marks[-50:], (done, perf_counter())]
        (first, began), (last, now) = self._marks[0], self._marks[-1]
        if last == first:
            return None
        return (now - began) / (last - first) * (self._steps - done)
