"""Memory arms: ways of remembering that a benchmark run compares, behind one protocol."""
