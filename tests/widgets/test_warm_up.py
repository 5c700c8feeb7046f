"""torch is loaded ahead of time, and not touched while it is."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from napari_selfsup_recon.widgets import warm_up


@pytest.fixture
def half_torch(monkeypatch):
    """A torch that another thread is in the middle of importing."""
    module = ModuleType("torch")
    module.__spec__ = ModuleSpec("torch", None)
    module.__spec__._initializing = True
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


def test_a_half_imported_torch_is_left_alone(half_torch, monkeypatch):
    assert warm_up.torch_is_loading()
    assert warm_up.loaded_torch() is None
    waited = []
    monkeypatch.setattr(warm_up, "import_module", waited.append)
    warm_up.wait_for_torch()
    assert waited == ["torch"]
    half_torch.__spec__._initializing = False
    assert not warm_up.torch_is_loading()
    assert warm_up.loaded_torch() is half_torch


def test_it_is_imported_once_in_the_background(monkeypatch):
    asked = []
    real = warm_up.import_module

    def imported(name):
        asked.append(name)
        return real(name)

    monkeypatch.setattr(warm_up, "import_module", imported)
    for name in ("_started", "_loaded"):
        monkeypatch.setattr(warm_up, name, warm_up.threading.Event())
    warm_up.warm_up()
    warm_up.warm_up()
    warm_up.wait_for_torch()
    assert asked[0] == "torch"
    assert len(asked) == len(set(asked)) == 4
    for thread in warm_up.threading.enumerate():
        if thread.name == "warm-up":
            thread.join(30)


def test_a_run_goes_on_where_the_import_failed(monkeypatch):
    def failing(name):
        raise ImportError(name)

    monkeypatch.setattr(warm_up, "import_module", failing)
    for name in ("_started", "_loaded"):
        monkeypatch.setattr(warm_up, name, warm_up.threading.Event())
    warm_up._started.set()
    with pytest.raises(ImportError):
        warm_up._load()
    warm_up.wait_for_torch()  # and meets the error itself


@pytest.mark.gui
def test_the_dock_waits_with_the_memory(viewer, cells, half_torch, qtbot):
    from napari_selfsup_recon.widgets.dock import ReconWidget

    dock = ReconWidget(viewer)
    qtbot.addWidget(dock)
    dock.refresh()
    half_torch.__spec__._initializing = False
    assert dock.run_card.run.isEnabled()
