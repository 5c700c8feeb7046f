"""Siamese cooperative learning (SIAM)."""
