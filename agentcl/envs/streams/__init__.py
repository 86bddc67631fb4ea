"""Streams of tasks: which tasks come, in which order, with which changes."""
