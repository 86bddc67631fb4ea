"""The proxy: a client of a language model points at it, and has a memory."""
