"""What a model is shown before a call: what is looked for, what counts, and the block that is filled."""
