"""Agents: a student that acts, a teacher that looks on, and a supervisor that says when it is asked."""
