"""How the reference model is made: its worlds, examples, training and gates. Not part of the package."""
