"""Viewers, images and methods for the tests of the window."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

import fakes
from gui_helpers import add_cells


@pytest.fixture
def _fakes(monkeypatch):
    """Register the methods that do as they are told."""
    fakes.install(monkeypatch)


@pytest.fixture(autouse=True)
def _own_state(monkeypatch, tmp_path):
    """What runs keep lies in a folder of the test."""
    monkeypatch.setenv("NSR_STATE", str(tmp_path / "state"))


@pytest.fixture
def viewer(qapp):
    """A viewer without a window: quick, and all that a job needs."""
    return ViewerModel()


@pytest.fixture
def cells(viewer):
    return add_cells(viewer)
