"""Robust equivariant imaging (REI)."""
