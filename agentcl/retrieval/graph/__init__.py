"""Associations between passages: what they mention, as a graph that a random walk explores."""
