"""Lessons that earn their place: what is believed of them, and which of them are shown."""
