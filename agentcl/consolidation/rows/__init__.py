"""Rows that an adapter is trained on and tested by: which records, in which words."""
