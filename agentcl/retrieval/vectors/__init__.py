"""Dense search: vectors compared in memory, mapped from files, or asked of a database or another library."""
