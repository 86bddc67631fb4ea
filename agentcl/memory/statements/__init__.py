"""Statements: read out of conversations, settled, found, summarised and put in order."""
