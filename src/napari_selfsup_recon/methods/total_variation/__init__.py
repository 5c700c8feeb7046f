"""Deconvolution and denoising by total variation."""
