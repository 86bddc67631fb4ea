"""Adapters: their files, who is answered by which, what each is worth, and what forgetting does to them."""
