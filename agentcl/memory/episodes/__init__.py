"""Episodes: what is recalled while one goes on, what is kept of it, and how it is found again."""
