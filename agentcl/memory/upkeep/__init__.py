"""A memory as a whole: examined, counted, copied and imported, its long work, and what goes on beside it."""
