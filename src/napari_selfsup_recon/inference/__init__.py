"""Floor 2: tiles and blending."""
