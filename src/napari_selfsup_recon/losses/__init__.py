"""Floor 2: losses, pure functions on tensors."""
