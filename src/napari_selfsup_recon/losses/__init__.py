"""Floor 2: pure functions on tensors."""
