"""The store in a PostgreSQL database, shared by many machines."""
