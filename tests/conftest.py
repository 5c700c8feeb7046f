"""What every test gets: threads held in, the data folder, and a watch on forgotten windows."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before torch, numpy or Qt is imported anywhere: small problems run best on few threads.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
# Runs of the tests leave nothing in the folder of the user.
os.environ["NSR_STATE"] = os.path.join(tempfile.gettempdir(), f"nsr-state-{os.getpid()}")

import pytest
from hypothesis import settings

HERE = Path(__file__).parent

settings.register_profile("default", max_examples=25, deadline=None)
settings.register_profile("ci", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data that ``NSR_DATA`` names; without it the test is skipped."""
    folder = os.environ.get("NSR_DATA", "")
    if not folder:
        pytest.skip("real data: NSR_DATA names no folder")
    if not Path(folder).is_dir():
        pytest.skip(f"real data: NSR_DATA names {folder}, which is no folder")
    return Path(folder)


@pytest.fixture(autouse=True)
def no_forgotten_windows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a widget test that leaves a top-level Qt widget behind.

    Only below ``tests/widgets``: elsewhere no Qt may be imported at all.
    """
    if HERE / "widgets" not in request.path.parents:
        yield
        return
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication, QMenu

    app = QApplication.instance() or QApplication([])
    before = set(map(id, app.topLevelWidgets()))
    yield
    # Set up first, so torn down last: qtbot and the viewer fixtures have closed what is theirs.
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        app.processEvents()
        # Menus of a closed napari window go when nothing refers to its actions any more.
        left = [
            w
            for w in app.topLevelWidgets()
            if id(w) not in before and (w.isVisible() or not isinstance(w, QMenu))
        ]
        if not left:
            return
        gc.collect()
    raise AssertionError(f"the test left top-level widgets behind: {left}")
