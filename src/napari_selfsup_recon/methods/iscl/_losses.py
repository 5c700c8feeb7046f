"""The three losses of interdependent learning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from napari_selfsup_recon.losses.adversarial import critic_loss, persuasion_loss
from napari_selfsup_recon.methods.iscl._transplant import transplanted


@dataclass(frozen=True)
class Weights:
    """How much each term counts.

    Attributes
    ----------
    noisy_cycle
        Of :math:`|x - G(F(x))|`, which pays F for hiding noise in its answer.
    clean_cycle
        Of :math:`|y - F(G(y))|`.
    agreement
        Of :math:`|F(x) - (x - H(x))|`.
    transplant
        Of :math:`|y - F(y + n)|` with noise n taken from a noisy image.
    identity
        Of :math:`|F(y) - y| + |H(y)|`: a clean image has no noise.
    fake_margin
        Of the critics' hinge.
    decorrelate
        Whether transplanted noise is turned and shifted, so that it tells nothing of the image
        that it was taken from.
    """

    noisy_cycle: float = 30.0
    clean_cycle: float = 30.0
    agreement: float = 30.0
    transplant: float = 30.0
    identity: float = 0.0
    fake_margin: float = 0.0
    decorrelate: bool = False


PUBLISHED = Weights()


class Players(nn.Module):
    """The five networks.

    Parameters
    ----------
    denoiser
        F, noisy to clean.
    spoiler
        G, clean to noisy.
    extractor
        H, noisy to noise.
    noisy_critic, clean_critic
        D_X and D_Y.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        spoiler: nn.Module,
        extractor: nn.Module,
        noisy_critic: nn.Module,
        clean_critic: nn.Module,
    ) -> None:
        super().__init__()
        self.denoiser, self.spoiler, self.extractor = denoiser, spoiler, extractor
        self.noisy_critic, self.clean_critic = noisy_critic, clean_critic

    @property
    def critics(self) -> list[nn.Parameter]:
        """Weights that :func:`critics_loss` moves."""
        return [*self.noisy_critic.parameters(), *self.clean_critic.parameters()]

    @property
    def generators(self) -> list[nn.Parameter]:
        """Weights that :func:`generators_loss` moves."""
        return [*self.denoiser.parameters(), *self.spoiler.parameters()]

    @property
    def extractors(self) -> list[nn.Parameter]:
        """Weights that :func:`extractor_loss` moves."""
        return list(self.extractor.parameters())


def critics_loss(
    players: Players, x: Tensor, y: Tensor, weights: Weights, generator: torch.Generator
) -> Tensor:
    r"""Return the loss of both critics, those they judge held constant.

    Beside G(y) and F(x), the clean image with transplanted noise and the noisy image less its noise
    are judged: the boosting of the paper.

    Parameters
    ----------
    players
        The networks.
    x, y
        Noisy and clean patches, unpaired, of one shape.
    weights
        Of the terms.
    generator
        Turns transplanted noise.
    """
    with torch.no_grad():
        noise = players.extractor(x)
        noisy_fakes = players.spoiler(y), y + transplanted(noise, weights.decorrelate, generator)
        clean_fakes = players.denoiser(x), x - noise
    return critic_loss(
        players.noisy_critic(x),
        [players.noisy_critic(fake) for fake in noisy_fakes],
        fake_margin=weights.fake_margin,
    ) + critic_loss(
        players.clean_critic(y),
        [players.clean_critic(fake) for fake in clean_fakes],
        fake_margin=weights.fake_margin,
    )


def generators_loss(
    players: Players, x: Tensor, y: Tensor, weights: Weights, generator: torch.Generator
) -> Tensor:
    r"""Return the loss of F and G, with H held constant.

    .. math:: -E D_X(G(y)) - E D_Y(F(x)) + \lambda_x |x - G(F(x))| + \lambda_y |y - F(G(y))|
              + \lambda_a |F(x) - (x - H(x))| + \lambda_t |y - F(y + n)| + \lambda_i |F(y) - y|
    """
    with torch.no_grad():
        noise = players.extractor(x)
    clean, noisy = players.denoiser(x), players.spoiler(y)
    loss = persuasion_loss(players.noisy_critic(noisy), players.clean_critic(clean))
    if weights.noisy_cycle:
        loss = loss + weights.noisy_cycle * l1_loss(players.spoiler(clean), x)
    if weights.clean_cycle:
        loss = loss + weights.clean_cycle * l1_loss(players.denoiser(noisy), y)
    loss = loss + weights.agreement * l1_loss(clean, x - noise)
    spoiled = y + transplanted(noise, weights.decorrelate, generator)
    loss = loss + weights.transplant * l1_loss(players.denoiser(spoiled), y)
    if weights.identity:
        loss = loss + weights.identity * l1_loss(players.denoiser(y), y)
    return loss


def extractor_loss(players: Players, x: Tensor, y: Tensor, weights: Weights) -> Tensor:
    r"""Return the loss of H, with F and G held constant.

    .. math:: |H(x) - (x - F(x))| + |(G(y) - y) - H(G(y))| + \lambda_i |H(y)|
    """
    with torch.no_grad():
        residual = x - players.denoiser(x)
        noisy = players.spoiler(y)
    loss = l1_loss(players.extractor(x), residual)
    loss = loss + l1_loss(players.extractor(noisy), noisy - y)
    if weights.identity:
        loss = loss + weights.identity * players.extractor(y).abs().mean()
    return loss
