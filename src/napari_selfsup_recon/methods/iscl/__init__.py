"""Denoising with clean examples that need not match (Lee and Jeong 2021)."""
