"""What ``tox run -e wheel`` checks of the installed wheel: its manifest, its docks, its samples.

Nothing of the tests is installed there, so this is a script. Without a display it starts again
under xvfb-run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAME = "napari-selfsup-recon"


def check() -> None:
    """Open every dock and every sample in a window; raise where one fails."""
    import napari
    from npe2 import PluginManager, PluginManifest

    import napari_selfsup_recon

    where = Path(napari_selfsup_recon.__file__)
    assert "src" not in where.parts, f"The sources were imported, not the wheel: {where}"
    manifest = PluginManifest.from_distribution(NAME)
    manifest.validate_imports()
    PluginManager.instance().discover()
    viewer = napari.Viewer()
    for widget in manifest.contributions.widgets or ():
        viewer.window.add_plugin_dock_widget(NAME, widget.display_name)
        print(f"opened {widget.display_name!r}")
    assert "torch" not in sys.modules, "Opening the docks loaded torch."
    for sample in manifest.contributions.sample_data or ():
        assert viewer.open_sample(NAME, sample.key), sample.key
        print(f"opened the sample {sample.key!r}")
    viewer.close()


def main() -> int:
    """Check, on a virtual screen if there is no other."""
    shown = sys.platform != "linux" or os.environ.get("DISPLAY")
    if not shown and (xvfb := shutil.which("xvfb-run")):
        command = [xvfb, "-a", "-s", "-screen 0 1280x1024x24", sys.executable, __file__]
        return subprocess.run(command, check=False).returncode
    check()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
