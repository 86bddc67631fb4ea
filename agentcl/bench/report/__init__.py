"""Reports of runs, and comparisons between them (`docs/benchmarking.md`)."""
