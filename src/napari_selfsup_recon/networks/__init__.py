"""Floor 2: networks, 2D and 3D."""
