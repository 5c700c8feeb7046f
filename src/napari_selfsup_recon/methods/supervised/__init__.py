"""Supervised learning, the oracle of the benchmarks."""
