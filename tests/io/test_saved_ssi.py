"""The learned method of this package, saved and loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon import SSI, Blur, Identity, SSIOptions, load, psf

OPTIONS = SSIOptions(steps=3, width=4, batch=1, device="cpu")


@pytest.mark.parametrize("shape", [(40, 44), (8, 32, 32)])
@pytest.mark.parametrize("blurred", [False, True])
def test_ssi_comes_back_bit_by_bit(shape: tuple[int, ...], blurred: bool, tmp_path: Path) -> None:
    kernel = psf.gaussian(2.0, ndim=len(shape))
    physics = Blur(kernel, shape) if blurred else Identity(shape)
    y = np.random.default_rng(0).poisson(50, shape).astype(np.float32)
    method = SSI(physics, OPTIONS).fit(y, progress=False)
    again = load(method.save(tmp_path / "a.nsr"))
    assert isinstance(again, SSI)
    assert again.scores == method.scores
    assert again.best_step == method.best_step
    np.testing.assert_array_equal(again.reconstruct(y), method.reconstruct(y))
