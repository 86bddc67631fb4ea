"""English sentences taken apart by rules: what is said, of whom, and what of it is meant."""
