"""What the dock says, and what can be done about it."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QPushButton

from napari_selfsup_recon.widgets.message import MessageCard

pytestmark = pytest.mark.gui


def test_a_message_that_is_told_again_keeps_its_buttons(qtbot):
    message = MessageCard()
    qtbot.addWidget(message)
    pressed = []
    for word in ("first", "second"):
        message.tell("error", "It failed.", [("Help", "Helps.", lambda w=word: pressed.append(w))])
        (button,) = message.findChildren(QPushButton)
        if word == "first":
            kept = button
    assert button is kept
    button.click()
    assert pressed == ["second"]
    message.tell("error", "It failed.")
    assert not message._buttons.count()
