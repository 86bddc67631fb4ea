"""General questions that no memory of a company teaches: an adapter must answer them no worse than its base.

Each has a right and a wrong answer of about the same length, so that a small model can be judged by which of the two
it finds more probable.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Probe(NamedTuple):
    """A question with an answer and others."""

    prompt: str
    answer: str
    others: tuple[str, ...]


_PAIRS: Final = (
    ("What is the capital of France?", "Paris", "Rome"),
    ("What is the capital of Japan?", "Tokyo", "Lima"),
    ("Which planet do we live on?", "Earth", "Mars"),
    ("What do bees make?", "Honey", "Bread"),
    ("How many days are in a week?", "Seven", "Nine"),
    ("How many months are in a year?", "Twelve", "Twenty"),
    ("What is two plus two?", "Four", "Five"),
    ("What is ten minus three?", "Seven", "Eight"),
    ("What color is grass?", "Green", "Purple"),
    ("What color is snow?", "White", "Black"),
    ("Which animal barks?", "The dog", "The fish"),
    ("Which animal says meow?", "The cat", "The cow"),
    ("What is frozen water called?", "Ice", "Sand"),
    ("Where do fish live?", "In water", "In trees"),
    ("What is the opposite of hot?", "Cold", "Loud"),
    ("What is the opposite of up?", "Down", "Blue"),
    ("Who wrote Romeo and Juliet?", "Shakespeare", "Newton"),
    ("What do plants need to grow?", "Water and light", "Paper and glue"),
    ("Which organ pumps blood?", "The heart", "The ear"),
    ("What shines in the sky by day?", "The sun", "The sea"),
    ("Which season comes after winter?", "Spring", "Monday"),
    ("What do you use to cut paper?", "Scissors", "A spoon"),
    ("On what continent is Egypt?", "Africa", "Europe"),
    ("What language is spoken in Spain?", "Spanish", "Chinese"),
)
GENERAL: Final = tuple(Probe(prompt, answer, (other,)) for prompt, answer, other in _PAIRS)
