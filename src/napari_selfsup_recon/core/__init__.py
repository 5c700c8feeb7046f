"""Floor 0: values and facts that every floor shares; no physics, no networks, no torch at import."""
