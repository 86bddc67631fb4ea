"""Ways of continual learning: what keeps an adapter from losing what it knew."""
