"""Options of supervised learning."""

from __future__ import annotations

from napari_selfsup_recon.methods._recon.options import ReconstructionOptions


class SupervisedOptions(ReconstructionOptions):
    """How the oracle learns: like EI, but from clean images."""
