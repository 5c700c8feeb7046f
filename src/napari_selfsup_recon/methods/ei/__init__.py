"""Equivariant imaging (EI)."""
