"""Lessons: how they come in, what is believed of them, and which speak of a situation."""
