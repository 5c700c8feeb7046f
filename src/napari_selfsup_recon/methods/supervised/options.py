"""Options of supervised learning."""

from __future__ import annotations

from napari_selfsup_recon.methods._recon.options import NetworkOptions


class SupervisedOptions(NetworkOptions):
    """How the oracle learns: like EI, but from clean images."""
