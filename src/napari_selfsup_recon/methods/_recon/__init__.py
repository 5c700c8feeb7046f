"""What EI, REI and Supervised have in common: data, network, step and score."""
