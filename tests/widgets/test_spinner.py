"""The sign of activity turns slowly while a run goes on: it costs more than it seems."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel, QMainWindow

from gui_helpers import make_job, settle
from napari_selfsup_recon.widgets.spinner import CALM, USUAL

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("_fakes")]


def test_it_turns_slowly_while_a_run_goes_on(viewer, cells, qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    sign, plain = QLabel(), QLabel("ready")
    movie = QMovie(parent=sign)
    sign.setMovie(movie)
    window.statusBar().addPermanentWidget(sign)
    window.statusBar().addPermanentWidget(plain)
    job = make_job(viewer, cells, steps=5000, delay=0.01).start()
    assert movie.speed() == CALM
    job.discard()
    qtbot.waitUntil(lambda: job.done, timeout=10000)
    assert movie.speed() == USUAL
    settle(qtbot)
