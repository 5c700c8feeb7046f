"""Reconstruction by least squares."""
