"""Wiener deconvolution."""
