"""Sentences of what was found, chosen for a question within a budget: no model is asked."""
