"""How records are found: encoders, indexes, the ranking, and packing into a prompt."""
