"""What can be told of a result without the truth."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from napari_selfsup_recon.core.events import Notice
from napari_selfsup_recon.methods.iscl._answer import Answer
from napari_selfsup_recon.methods.iscl._problem import Problem

_CROPS = 16
# Of the model of the noise; 0.1 to 0.2 where both domains show the same kind of things.
_MISFIT = 0.6


def remarks(problem: Problem) -> Iterator[Notice]:
    """Yield what is to be said of the domains before training."""
    if problem.doubt:
        yield Notice(problem.doubt, "warning")
    if problem.misfit > _MISFIT:
        yield Notice(
            "No noise makes the clean examples look like the noisy images: they seem to show "
            "other things. Choose examples of the same kind, or what they lack is taken out.",
            "warning",
        )
    if problem.evening is not None:
        yield Notice("Slices are evened out: each has coarse noise of its own.")


@torch.no_grad()
def diagnoses(answer: Answer, problem: Problem, seed: int) -> dict[str, float]:
    """Return root mean squares in standard deviations of the clean images.

    ``noise``: what was taken from the noisy images, and ``made``: noise of the model, which should
    be about as strong. ``disagreement``: of both branches on noisy images. ``identity``: what was
    changed in clean images. ``misfit``: what the model of the noise left unexplained, of logarithms
    of its statistics.
    """
    noisy = _stacked(problem, seed, clean=False)
    clean = _stacked(problem, seed, clean=True)
    one, other = answer.branches(noisy)
    return {
        "noise": _rms(problem.asked(noisy) - answer(noisy)),
        "made": _rms(problem.asked(problem.report.noisy) - problem.report.clean),
        "disagreement": _rms(one - other),
        "identity": _rms(answer(clean) - problem.asked(clean)),
        "misfit": problem.misfit,
    }


def _stacked(problem: Problem, seed: int, *, clean: bool) -> Tensor:
    """Return crops of one domain; of the clean one those that were held out."""
    domain = problem.clean if clean else problem.noisy
    places = domain.below(_CROPS, seed) if clean else domain.windows(_CROPS, domain.side, seed)
    return torch.stack([problem.seen(domain, place) for place in places])


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())
