"""Training what decides which lessons speak of a situation. `README.md` says how."""
