"""Self-supervised image reconstruction in napari."""
