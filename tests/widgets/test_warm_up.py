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
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(warm_up, "import_module", asked.append)
    monkeypatch.setattr(warm_up, "_started", warm_up.threading.Event())
    warm_up.warm_up()
    warm_up.warm_up()
    assert asked == ["torch"]


@pytest.mark.gui
def test_the_dock_waits_with_the_memory(viewer, cells, half_torch, qtbot):
    from napari_selfsup_recon.widgets.dock import ReconWidget

    dock = ReconWidget(viewer)
    qtbot.addWidget(dock)
    dock.refresh()
    half_torch.__spec__._initializing = False
    assert dock.run_card.run.isEnabled()
