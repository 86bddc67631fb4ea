"""Incident response: a domain whose hidden rules can be learned."""
