"""Floor 5: the command line. Help and mistakes load neither torch nor Qt."""

from napari_selfsup_recon.cli._main import main

__all__ = ["main"]
