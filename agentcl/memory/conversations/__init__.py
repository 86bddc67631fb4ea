"""Conversations: what chat programs say, told apart from what was said before, and kept turn by turn."""
