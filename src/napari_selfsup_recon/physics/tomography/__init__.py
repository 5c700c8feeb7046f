"""What the CT projectors share: rays, products with them, checks of the geometry."""
