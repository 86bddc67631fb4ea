"""Benchmarks: does memory help, by how much, and at what cost."""
