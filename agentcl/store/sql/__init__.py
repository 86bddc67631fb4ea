"""What stores that ask their tables in SQL have in common."""
