"""What the values of a measurement tell about their noise; it lives with the physics."""

from napari_selfsup_recon.physics.noise_facts import NoiseFacts, noise_facts

__all__ = ["NoiseFacts", "noise_facts"]
