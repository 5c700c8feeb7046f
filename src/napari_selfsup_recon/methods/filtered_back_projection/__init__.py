"""Reconstruction by filtered back-projection."""
