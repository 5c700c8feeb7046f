"""What tests of several methods share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from napari_selfsup_recon.methods.iscl import _noise_fit


@pytest.fixture(scope="module")
def quick_noise_fit() -> Iterator[None]:
    """Fit the noise of ISCL in two rounds, which is enough for small images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_noise_fit, "_ROUNDS", 2)
        torch.set_num_threads(1)
        yield
