"""Floor 4: volumes, PSFs and models in files; sample data."""
