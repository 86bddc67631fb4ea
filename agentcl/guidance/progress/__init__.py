"""How tasks go: what is expected, what changed, and what is mastered."""
