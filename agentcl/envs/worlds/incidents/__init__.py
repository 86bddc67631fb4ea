"""Incident response: a world whose hidden rules can be learned."""
