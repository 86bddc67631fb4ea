"""Who reads statements out of turns: rules, a small trained model, or a language model."""
