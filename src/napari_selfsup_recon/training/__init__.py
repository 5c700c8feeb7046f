"""Floor 2: the one loop, scores, averaging, checkpoints, device and precision."""
