"""Memory baselines: ways of remembering that a benchmark run compares, behind one protocol."""
