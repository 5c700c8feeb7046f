"""Nothing in this folder may touch NumPy's global generator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def global_generator_stays() -> Iterator[None]:
    def state() -> tuple[object, ...]:
        name, key, *rest = np.random.get_state()  # noqa: NPY002 (it is what is guarded)
        return name, key.tobytes(), *rest

    before = state()
    yield
    assert state() == before
