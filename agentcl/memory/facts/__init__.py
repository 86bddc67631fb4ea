"""Facts of passages, the names in them, and the graph that they make."""
