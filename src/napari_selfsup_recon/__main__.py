"""``python -m napari_selfsup_recon`` is the command line."""

import sys

from napari_selfsup_recon.cli import main

if __name__ == "__main__":
    sys.exit(main())
