"""Full-text search: which terms are asked for, how they count, and what is said around a turn."""
