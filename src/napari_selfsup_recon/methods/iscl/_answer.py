"""What is left of the players after training: both branches and how they are mixed."""

from __future__ import annotations

from torch import Tensor, nn

from napari_selfsup_recon.methods.iscl._losses import Players
from napari_selfsup_recon.methods.iscl._slices import central


class Answer(nn.Module):
    r"""The clean image :math:`\gamma F(x) + (1 - \gamma)(x - H(x))`.

    Parameters
    ----------
    denoiser, extractor
        F and H.
    share
        :math:`\gamma`.
    """

    def __init__(self, denoiser: nn.Module, extractor: nn.Module, share: float = 0.5) -> None:
        super().__init__()
        self.denoiser, self.extractor = denoiser, extractor
        self.share = share

    @classmethod
    def of(cls, players: Players, share: float = 0.5) -> Answer:
        """Return the answer of players."""
        return cls(players.denoiser, players.extractor, share)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return F(x) and x - H(x) of ``(batch, slices, y, x)``."""
        noise = self.extractor(x)
        return self.denoiser(x), central(x, noise.shape[1]) - noise

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, slices, y, x)`` to ``(batch, 1, y, x)``; in 3D to all slices."""
        one, other = self.branches(x)
        return self.share * one + (1 - self.share) * other


def best_share(one: Tensor, other: Tensor, truth: Tensor) -> float:
    r"""Return the :math:`\gamma` in [0, 1] whose mixture of both is nearest to the truth."""
    apart = (one - other).flatten()
    power = float(apart @ apart)
    if power <= 1e-12:
        return 0.5
    return min(1.0, max(0.0, float(apart @ (truth - other).flatten()) / power))


class Rescaled(nn.Module):
    """A published network: sees one slice in [-1, 1], with sides that are multiples of its stride.

    Parameters
    ----------
    network
        The network.
    span, middle
        Of the values in the units of the others: ``value = inside * span + middle``.
    image
        Whether its answer is an image; else it is noise, of which only the span changes.
    stride
        Images are continued by their edge to multiples of it.
    """

    def __init__(
        self, network: nn.Module, span: float, middle: float, *, image: bool, stride: int = 4
    ) -> None:
        super().__init__()
        self.network = network
        self.span, self.middle, self._image, self._stride = span, middle, image, stride

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, 1, y, x)`` to an image or noise of the same shape."""
        rows, columns = x.shape[-2:]
        inside = nn.functional.pad(
            (x - self.middle) / self.span,
            (0, -columns % self._stride, 0, -rows % self._stride),
            mode="replicate",
        )
        answer: Tensor = self.network(inside)[..., :rows, :columns]
        if self._image:
            return answer * self.span + self.middle
        return answer * self.span
