"""Investigating security incidents with SQL: ExCyTIn-lite, and incidents that are made up."""
