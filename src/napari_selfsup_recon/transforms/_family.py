"""What an instrument sees of an object that may have been placed in many ways."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from napari_selfsup_recon.transforms.base import Action

_BATCH_VALUES = 1 << 23  # values of the images that go through the instrument at once


class Family:
    r"""The symmetric operator :math:`S\, E_g[T_g^T N T_g]\, S` on images ``(batch, channel, ...)``.

    Parameters
    ----------
    normal
        N, a symmetric positive map of images onto images, such as :math:`A^T A`.
    actions
        The :math:`T_g` over which the mean is taken, all with the same weight.
    support
        S, ones where the object may be, and zeros elsewhere; ``(*image_shape)``.
    items
        Number of images that N treats differently, in turn.
    """

    def __init__(
        self,
        normal: Callable[[Tensor], Tensor],
        actions: Sequence[Action],
        support: Tensor,
        items: int = 1,
    ) -> None:
        self._normal = normal
        self._actions = actions
        self._support = support
        self._items = items

    def __call__(self, x: Tensor) -> Generator[None, None, Tensor]:
        """Apply the operator, yielding now and then."""
        x = x * self._support
        many = max(1, _BATCH_VALUES // (x.numel() * self._items))
        total = torch.zeros_like(x)
        for start in range(0, len(self._actions), many):
            actions = self._actions[start : start + many]
            moved = []
            for action in actions:
                moved.append(action(x))
                yield
            # All images meet every item.
            batch = torch.cat(moved).repeat_interleave(self._items, dim=0)
            seen = self._normal(batch)
            seen = seen.reshape(-1, self._items, *seen.shape[1:]).mean(1)
            yield
            for action, part in zip(actions, seen.chunk(len(actions)), strict=True):
                total += action.adjoint(part)
                yield
        return total * self._support / len(self._actions)
