"""Passages as soft tokens of a base model: made, kept, and taken along."""
