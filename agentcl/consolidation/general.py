"""What an adapter is asked: general questions that no memory of a company teaches, and when an answer is right.

Each general question has a right and a wrong answer of about the same length, so that a small model can be judged by
which of the two it finds more probable.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from agentcl.text.terms import terms

SAID: Final = 48  # tokens of an answer at the most


class Probe(NamedTuple):
    """A question with an answer and others."""

    prompt: str
    answer: str
    others: tuple[str, ...]


def is_said(answer: str, reply: str) -> bool:
    """Return whether a reply gives an answer: all its words, in their order, next to each other."""
    wanted, said = terms(answer), terms(reply)
    if not wanted:
        return answer.strip() == reply.strip()
    size = len(wanted)
    return any(said[at : at + size] == wanted for at in range(len(said) - size + 1))


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
