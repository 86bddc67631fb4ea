"""Words: terms and stop words, token estimates, answers read out of text."""
