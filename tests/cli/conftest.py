"""Small images in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fakes
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    data = np.random.default_rng(0).poisson(50, (24, 20)).astype(np.uint16)
    measurement = Measurement(data, scale=(0.2, 0.1), units=("micrometer",) * 2, name="cells")
    return volumes.write(tmp_path / "cells.tif", measurement)


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    data = np.random.default_rng(1).poisson(50, (3, 2, 24, 20)).astype(np.uint16)
    return volumes.write(tmp_path / "movie.tif", Measurement(data, axes=("t", "c", "y", "x")))
