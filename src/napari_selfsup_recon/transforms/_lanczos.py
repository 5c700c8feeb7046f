"""Stochastic Lanczos: how the eigenvalues of a large symmetric operator are spread."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.generators import relay

Values = np.ndarray[Any, np.dtype[np.float64]]

_BREAKDOWN = 1e-6  # of the largest entry so far: the space that the probe can reach is used up


def spectrum(
    apply: Callable[[Tensor], Generator[None, None, Tensor]], probes: Tensor, steps: int
) -> Generator[int, None, list[tuple[Values, Values]]]:
    r"""Return Gauss quadratures of the spectral density, one a probe.

    Parameters
    ----------
    apply
        The symmetric operator on a batch ``(probe, ...)``; it may yield while it works.
    probes
        Random start vectors ``(probe, ...)`` of independent entries with equal variance.
    steps
        Lanczos steps, no more than there are dimensions.

    Yields
    ------
    int
        Steps done.

    Returns
    -------
    list
        For each probe the nodes (estimates of eigenvalues) and their weights, which sum to 1: the
        mean over probes of the weights above a value estimates the share of eigenvalues above it.

    References
    ----------
    Golub and Meurant, Matrices, Moments and Quadrature, 2010; Ubaru, Chen, Saad, SIAM J. Matrix
    Anal. Appl. 38 (2017).
    """
    many = len(probes)
    flat = probes.reshape(many, -1)
    vector = flat / torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    basis = [vector]
    diagonal = np.zeros((many, steps))
    beside = np.zeros((many, steps))
    for step in range(steps):
        product = yield from relay(apply(vector.reshape(probes.shape)), partial(_at, step))
        new = product.reshape(many, -1)
        diagonal[:, step] = (new * vector).sum(1).double().cpu().numpy()
        # Against all former vectors, twice: in single precision they would soon lean on each other.
        known = torch.stack(basis, dim=1)
        for _ in range(2):
            new = new - torch.einsum("pk,pkn->pn", torch.einsum("pkn,pn->pk", known, new), known)
        length = torch.linalg.vector_norm(new, dim=1, keepdim=True)
        beside[:, step] = length[:, 0].double().cpu().numpy()
        scale = np.maximum(np.abs(diagonal).max(axis=1), beside.max(axis=1))
        spent = beside[:, step] <= _BREAKDOWN * scale
        beside[spent, step] = 0.0
        vector = new / length.clamp_min(torch.finfo(new.dtype).tiny)
        vector = vector * torch.from_numpy(~spent[:, None]).to(vector)
        basis.append(vector)
        yield step + 1
    return [_quadrature(diagonal[p], beside[p]) for p in range(many)]


def _at(step: int, _: None) -> int:
    return step


def _quadrature(diagonal: Values, beside: Values) -> tuple[Values, Values]:
    cut = np.flatnonzero(beside[:-1] == 0)
    n = int(cut[0]) + 1 if len(cut) else len(diagonal)
    matrix = np.diag(diagonal[:n]) + np.diag(beside[: n - 1], 1) + np.diag(beside[: n - 1], -1)
    nodes, vectors = np.linalg.eigh(matrix)
    return nodes, vectors[0] ** 2
