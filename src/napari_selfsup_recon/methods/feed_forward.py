"""Trained networks that are a method by themselves: from grey values to grey values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.methods.base import LearnedMethod
from napari_selfsup_recon.methods.iscl._answer import Rescaled
from napari_selfsup_recon.methods.iscl._players import Denoiser
from napari_selfsup_recon.methods.iscl.method import ISCL
from napari_selfsup_recon.methods.ssi._network import Inverse
from napari_selfsup_recon.methods.ssi.method import SSI
from napari_selfsup_recon.training.scaling import Scaling

_HINT = "Save it as an .nsr file, which holds all that it needs."


@dataclass(frozen=True)
class FeedForward:
    """A network as a function of the measurement alone.

    Attributes
    ----------
    module
        Maps ``(batch, 1, *spatial)`` to the same shape, in grey values, on the CPU.
    ndim
        2 for images, 3 for volumes.
    multiple
        Sizes of the spatial axes are multiples of these.
    reach
        Pixels on either side that an output pixel may depend on, an axis.
    paper
        Whose method it is: text and DOI.
    """

    module: nn.Module
    ndim: int
    multiple: tuple[int, ...]
    reach: tuple[int, ...]
    paper: tuple[str, str]


class GreyValues(nn.Module):
    """A network with the scaling that it was trained with.

    Parameters
    ----------
    network
        Maps scaled measurements to scaled images.
    scaling
        Of the grey values.
    gain
        By which the images are divided.
    """

    def __init__(self, network: nn.Module, scaling: Scaling, gain: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self._low, self._span, self._gain = scaling.low, scaling.high - scaling.low, gain

    def forward(self, y: Tensor) -> Tensor:
        """Map grey values to grey values."""
        scaled: Tensor = self.network((y - self._low) / self._span)
        return (scaled * self._span + self._low) / self._gain


def feed_forward(method: LearnedMethod) -> FeedForward:
    """Return the network of a trained method, where it needs nothing else.

    It is what the method says in one orientation: averaging over turns, and the repair of single
    wrong pixels, are left out.

    Raises
    ------
    InputError
        If the method is more than a network, or not trained.
    """
    if isinstance(method, SSI):
        found = _of_ssi(method)
    elif isinstance(method, ISCL):
        found = _of_iscl(method)
    else:
        raise InputError(
            f"What {method.key.upper()} learned is no image filter: it needs the instrument, too.",
            hint=_HINT,
        )
    module = found.module.to("cpu", torch.float32).eval()
    return FeedForward(module, found.ndim, found.multiple, found.reach, found.paper)


def _of_ssi(method: SSI) -> FeedForward:
    network = cast(Inverse, method._current())
    if method._facts.get("start"):
        raise InputError(
            "This network refines an image of least variation, which is made of each measurement "
            "first; it cannot stand alone.",
            hint=_HINT,
        )
    scaling = Scaling(**method._facts["scaling"])
    return FeedForward(
        GreyValues(network, scaling, method._facts["gain"]),
        len(method.physics.measurement_shape),
        network.net.multiple,
        network.net.reach,
        (
            "Kobayashi, Solak, Batson, Royer: Image deconvolution via noise-tolerant "
            "self-supervised inversion (2020)",
            "10.48550/arXiv.2006.06156",
        ),
    )


def _of_iscl(method: ISCL) -> FeedForward:
    answer = method._current()
    if method._facts["slices"] != 1:
        raise InputError(
            "This network sees neighbouring slices, which no image filter can be given.",
            hint="Train with the option neighbours set to none, or save it as an .nsr file.",
        )
    if isinstance(answer.denoiser, Rescaled):
        multiple, reach = (4, 4), (48, 48)
    else:
        net = cast(Denoiser, answer.denoiser).net
        multiple, reach = cast(tuple[int, int], net.multiple), cast(tuple[int, int], net.reach)
    return FeedForward(
        GreyValues(answer, Scaling(**method._facts["theirs"])),
        2,
        multiple,
        reach,
        (
            "Lee and Jeong: ISCL: Interdependent self-cooperative learning for unpaired image "
            "denoising (2021)",
            "10.48550/arXiv.2102.09858",
        ),
    )
