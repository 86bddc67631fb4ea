"""The store in one SQLite file: journal, transactions, erasure."""
