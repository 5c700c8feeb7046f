"""What critics and those they judge minimise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import relu


def critic_loss(real: Tensor, fakes: Sequence[Tensor], *, fake_margin: float = 1.0) -> Tensor:
    r"""Return the hinge loss of a critic's scores.

    .. math:: E\,\max(0, 1 - D(r)) + \sum_f E\,\max(0, m + D(f))

    Parameters
    ----------
    real
        Scores of real images, any shape.
    fakes
        Scores of one or more kinds of made images.
    fake_margin
        m: 1 in the textbook (Lim and Ye 2017), 0 in ISCL as published.
    """
    loss = relu(1 - real).mean()
    for fake in fakes:
        loss = loss + relu(fake_margin + fake).mean()
    return loss


def persuasion_loss(*fakes: Tensor) -> Tensor:
    r"""Return what those who made the images minimise: :math:`-\sum_f E\, D(f)`."""
    return -torch.stack([fake.mean() for fake in fakes]).sum()
