"""Floor 6: Qt."""
