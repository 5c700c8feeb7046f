"""What a job knows of its progress."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_selfsup_recon.core.events import Notice, Stage, Step

Curve = list[tuple[int, float]]


@dataclass
class Facts:
    """Where a job stands; filled from its events, read by the window.

    Attributes
    ----------
    stage
        What is being done.
    step, total
        Steps of the stage; ``total`` is 0 where unknown.
    part, parts
        Frames and methods that run one after another.
    loss, score
        The last training loss and held-out score.
    seconds_left
        To the end of the stage.
    losses, scores
        Curves of the stage: (step, value).
    notices
        What the user should know.
    """

    stage: str = ""
    step: int = 0
    total: int = 0
    part: int = 0
    parts: int = 1
    loss: float | None = None
    score: float | None = None
    seconds_left: float | None = None
    losses: Curve = field(default_factory=list)
    scores: Curve = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @property
    def fraction(self) -> float:
        """Share of all the work that is done, 0 to 1."""
        share = min(1.0, self.step / self.total) if self.total else 0.0
        return min(1.0, (self.part + share) / max(1, self.parts))

    def begin(self, stage: Stage) -> None:
        """A stage begins."""
        same_part = (stage.part, stage.parts) == (self.part, self.parts)
        self.stage, self.part, self.parts = stage.name, stage.part, stage.parts
        self.step, self.total, self.seconds_left = 0, stage.total or 0, None
        # What follows the training of the same part leaves its curves: they are worth a look.
        if not same_part:
            self.losses, self.scores = [], []
            self.loss = self.score = None

    def add(self, steps: tuple[Step, ...]) -> None:
        """Take in the steps since the last report."""
        for step in steps:
            if self.losses and step.loss is not None and step.index <= self.losses[-1][0]:
                self.losses, self.scores = [], []  # training began anew
            self.step, self.total = step.index, step.total
            self.seconds_left = step.seconds_left
            if step.loss is not None:
                self.loss = step.loss
                self.losses.append((step.index, step.loss))
            if step.score is not None:
                self.score = step.score
                self.scores.append((step.index, step.score))
