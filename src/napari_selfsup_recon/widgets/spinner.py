"""A calmer sign of activity in the status bar of napari."""

from __future__ import annotations

from qtpy.QtWidgets import QApplication, QLabel

# Per cent of the speed at which it was made to turn, 30 images a second.
CALM, USUAL = 15, 100


def turn_spinners(speed: int) -> None:
    """Let the turning signs of all windows turn at ``speed`` per cent.

    napari turns one while there is a progress bar. Each image of it makes Qt put the whole window
    together anew, the canvas included: without a graphics card that takes almost a core, which is
    missing where the run goes on.
    """
    for window in QApplication.topLevelWidgets():
        for label in window.findChildren(QLabel):
            movie = label.movie()
            if movie is not None:
                movie.setSpeed(speed)
