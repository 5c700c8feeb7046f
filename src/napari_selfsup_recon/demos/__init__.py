"""Floor 7: interactive demos."""
