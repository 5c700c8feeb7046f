"""Floor 0: values and facts that every floor shares; nothing of it loads torch on import."""
