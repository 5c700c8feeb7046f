"""Floor 7: demos. ``python -m napari_selfsup_recon.demos`` restores and scores a real micrograph.

``python -m napari_selfsup_recon.demos.demo2d`` and ``.demo3d`` open a window to try it by hand.
"""
