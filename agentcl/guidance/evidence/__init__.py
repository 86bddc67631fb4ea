"""What is on record of a lesson: whose word counts, what it is worth, and whether it is still so."""
