"""Dates in what people say: which words name one, and which day it is."""
