"""Noise taken from noisy images, to be put on clean ones."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.methods.iscl._problem import Problem, field_size
from napari_selfsup_recon.methods.iscl._spectra import power, smooth

_FIELDS = 32
# By how much noise that was taken may be too weak or too strong at a frequency.
_MEND = (0.5, 2.0)


def take_noise(
    answer: Callable[[Tensor], Tensor], problem: Problem, seed: int
) -> Generator[None, None, Tensor]:
    r"""Return noise of noisy windows ``(fields, slices, n, n)``, in units of its expected strength.

    .. math:: b = K * \frac{x - f(x)}{w(f(x))}

    w is the strength of the noise at a grey value, so that gain is put back on as gain. What a
    network calls noise is weaker than the noise where it is not sure; the filter K gives it the
    power spectrum that the model of the noise has.

    Parameters
    ----------
    answer
        f: maps ``(n, slices, y, x)`` to clean images, of the middle slice or (3D) of all.
    problem
        The data.
    seed
        Of the windows.
    """
    reach, model = problem.reach, problem.model
    side = field_size(problem.clean, problem.noisy)
    fields = []
    for place in problem.noisy.windows(_FIELDS, side, seed):
        if problem.depth:
            deep = problem.seen(problem.noisy, place, side)
            views = [deep[None]]
        else:
            deep = problem.noisy.at(place, 2 * reach, side)
            views = [deep[None, first : first + 2 * reach + 1] for first in range(2 * reach + 1)]
        slices = []
        for seen in views:
            with torch.no_grad():
                made = answer(seen)
            slices.append(((problem.asked(seen) - made) / model.deviation(made))[0])
            yield
        fields.append(torch.cat(slices))
    bank = torch.stack(fields)
    mend = _mended(bank, problem, model, side, seed)
    yield
    mended: Tensor = torch.fft.ifft2(torch.fft.fft2(bank) * mend.to(bank)).real
    return mended


def _mended(bank: Tensor, problem: Problem, model: NoiseModel, side: int, seed: int) -> Tensor:
    """Return the filter that gives taken noise the spectrum of modelled noise."""
    places = problem.clean.windows(len(bank), side, seed + 1)
    clean = torch.stack([problem.clean.at(place, 0, side) for place in places])
    with torch.no_grad():
        made = Spoiler(model)(clean.cpu(), torch_generator(seed, "mend"))
    modelled = (made - clean.cpu())[:, 0].double().numpy()
    middle = bank.shape[1] // 2
    taken = (bank[:, middle] * model.deviation(clean[:, 0])).cpu().double().numpy()
    ratio = smooth(power(modelled)) / np.maximum(smooth(power(taken)), 1e-12)
    return torch.from_numpy(np.clip(np.sqrt(ratio), *_MEND)).float()


def transplant(
    bank: Tensor, clean: Tensor, model: NoiseModel, generator: torch.Generator
) -> Tensor:
    """Return clean stacks ``(n, slices, side, side)`` with noise of the bank on them.

    Each gets a part of its own, flipped at random, so that what the noise still shows of its own
    image lies elsewhere. The direction of the axes is kept: noise may be of one direction.
    """
    fields, _, room, _ = bank.shape
    side = clean.shape[-1]
    noisy = []
    for one in clean:
        which = int(torch.randint(fields, (1,), generator=generator))
        row, column = torch.randint(room - side + 1, (2,), generator=generator).tolist()
        noise = bank[which, :, row : row + side, column : column + side]
        flips = [axis for axis in (-2, -1) if int(torch.randint(2, (1,), generator=generator))]
        noisy.append(one + (noise.flip(flips) if flips else noise) * model.deviation(one))
    return torch.stack(noisy)
