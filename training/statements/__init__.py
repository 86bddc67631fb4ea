"""Training what reads statements out of sentences. `README.md` says how."""
