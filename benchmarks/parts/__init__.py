"""What several benchmarks share, and what some start as a process of its own."""
