"""Domains that agents act in, one module or folder each."""
