"""Self-supervised inversion (SSI)."""
