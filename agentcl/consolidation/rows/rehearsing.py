"""General prompts of many kinds, by which an adapter rehearses what its base says to everything else.

They are drawn by a seed, and have nothing to do with any memory. The base itself answers them before the training, and
the adapter is held to its distribution on these answers. That is self-synthesized rehearsal (SSR, Huang et al. 2024)
with the loss of learning without forgetting (Li and Hoiem 2017), on a fixed small set of general texts as in GeRe
(Zhang et al. 2025).

None of the gate's questions is among them, nor one about what these ask for.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any, Final

_MOST: Final = 256  # prompts; the base answers each before the training
_LISTS: Final[Mapping[str, Sequence[str]]] = {
    "country": (
        "Peru", "Norway", "Kenya", "India", "Canada", "Greece", "Chile", "Poland", "Vietnam", "Morocco", "Cuba",
        "Ireland", "Turkey", "Nepal", "Portugal", "Mexico",
    ),
    "word": ("big", "early", "happy", "soft", "dark", "rich", "brave", "empty", "quick", "near", "old", "heavy"),
    "thing": (
        "a river", "a violin", "a volcano", "a bicycle", "a lighthouse", "a mirror", "a desert", "a library", "a bridge",
        "a candle", "a whale", "a compass",
    ),
    "food": ("a lemon", "a tomato", "milk", "a carrot", "coffee", "butter", "a plum", "rice"),
    "animal": ("a horse", "an owl", "a frog", "a lion", "a duck", "an elephant", "a snake", "a spider"),
    "task": (
        "boil an egg", "plant a tree", "fix a flat tire", "learn a language", "clean a window", "write a letter",
        "sleep better", "train for a race", "save money", "pack a suitcase",
    ),
    "idea": (
        "gravity", "photosynthesis", "inflation", "democracy", "evaporation", "evolution", "electricity", "the moon's phases",
        "supply and demand", "a vaccine", "an eclipse", "recycling",
    ),
    "group": (
        "fruits", "musical instruments", "sports", "oceans", "jobs in a hospital", "metals", "kinds of weather", "tools",
        "European rivers", "board games", "shapes", "vegetables",
    ),
    "book": ("Don Quixote", "Moby Dick", "Pride and Prejudice", "The Odyssey", "Oliver Twist", "Faust", "Dracula", "Emma"),
    "phrase": ("good night", "thank you very much", "the house is small", "see you tomorrow", "I like tea", "the train is late"),
    "tongue": ("French", "German", "Italian", "Portuguese"),
    "code": (
        "reverses a string", "adds two numbers", "counts the vowels in a word", "finds the largest number in a list",
        "checks whether a number is even", "joins two lists", "reads a file line by line", "sorts names",
    ),
    "review": (
        "The soup was cold and nobody said sorry.", "A lovely film, I would watch it again.", "It broke after one day.",
        "The staff were kind and the room was spotless.", "Too loud, too long, too dull.", "Best shoes I ever had.",
    ),
    "plain": (
        "send me the report", "close the door", "he dont know where she live", "I has two brother", "we was late yesterday",
        "give me your seat", "the results are not what we hoped for", "you must wait outside",
    ),
    "trouble": (
        "it rains on a picnic", "a friend is sad", "the power goes out at home", "you are lost in a city", "a child cannot sleep",
        "the milk has turned sour", "a plant loses its leaves", "you forget a birthday", "a neighbor is loud", "a flight is canceled",
    ),
    "a": ("Anna", "Ben", "Clara", "David", "Emily", "Frank"),
    "b": ("apples", "books", "coins", "stamps", "marbles", "pencils"),
    "n": ("four", "six", "nine", "eleven", "fourteen", "twenty"),
    "m": ("one", "two", "three"),
    "chat": (
        "Hello!", "Hi, how are you?", "Good morning.", "Thanks for your help.", "Who are you?", "What can you do?",
        "Tell me a joke.", "I am bored.", "Can you help me with something?", "Goodbye!",
    ),
    "foreign": (
        "Wie geht es dir?", "Was ist ein Baum?", "Wo liegt Wien?", "¿Qué es el mar?", "¿Cómo te llamas?", "Qu'est-ce que le pain ?",
        "Bonjour !", "你好", "什么是水", "Che cos'è il vento?",
    ),
}  # fmt: skip
_KINDS: Final = (
    "What is the capital of {country}?",
    "Tell me something about {country}.",
    "What language do people speak in {country}?",
    "What is the opposite of {word}?",
    "Use the word {word} in a sentence.",
    "What is {thing}?",
    "Write a short sentence about {thing}.",
    "What color is {food}?",
    "What can I cook with {food}?",
    "What sound does {animal} make?",
    "Where does {animal} live?",
    "How do I {task}?",
    "Give me one tip to {task}.",
    "Explain {idea} in one sentence.",
    "Why does {idea} matter?",
    "Name three {group}.",
    "Who wrote {book}?",
    "Translate into {tongue}: {phrase}.",
    "Write a Python function that {code}.",
    "Is this review good or bad? {review}",
    "Say it in better words: {plain}.",
    "What should I do when {trouble}?",
    "Are there tips for a day when {trouble}?",
    "What is {n} plus {m}?",
    "What is {n} times {m}?",
    "{a} has {n} {b} and gives away {m}. How many {b} are left?",
    "{a} put the {b} into the kitchen. Later a friend moved them to the garden.\n\nWhere are the {b} now?",
    "What is remembered:\n{a} likes {b}.\n\nWhat is the capital of {country}?",
    "What is remembered:\n{a} has {n} {b}.\n\nHow many {b} does {a} have?",
    "{chat}",
    "{foreign}",
)


def general_prompts(count: int, *, seed: int = 0) -> list[str]:
    """Return prompts of each kind in turn, no two alike: so many, or as many as there are."""
    rng = Random(f"general {seed}")
    kinds = [_filled(form, rng) for form in rng.sample(_KINDS, len(_KINDS))]
    found: list[str] = []
    while kinds and len(found) < count:
        drawn = [(kind, next(kind, "")) for kind in kinds]
        found += [prompt for _, prompt in drawn if prompt]
        kinds = [kind for kind, prompt in drawn if prompt]
    return found[:count]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How many general rows are learned beside the rows of a memory."""

    share: float  # of all rows that are learned
    rows: int
    prompts: tuple[str, ...]  # fewer than rows if there are many of these: then they come again
    seed: int

    @classmethod
    def beside(cls, learned: int, *, share: float, seed: int) -> Rehearsal:
        """Return the general rows beside so many others: n s / (1 - s) of them."""
        rows = round(learned * share / (1 - share))
        return cls(share, rows, tuple(general_prompts(min(rows, _MOST), seed=seed)), seed)

    def told(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        text = "".join(f"{one}\n" for one in self.prompts)
        return {
            "share": self.share,
            "rows": self.rows,
            "prompts": len(self.prompts),
            "prompts_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "seed": self.seed,
        }


def _filled(form: str, rng: Random) -> Iterator[str]:
    """Yield a form with all that its gaps may hold, in an order that is drawn."""
    gaps = sorted({name for _, name, _, _ in string.Formatter().parse(form) if name})
    every = list(product(*(_LISTS[name] for name in gaps)))
    for values in rng.sample(every, len(every)):
        prompt = form.format(**dict(zip(gaps, values, strict=True)))
        yield prompt[:1].upper() + prompt[1:]
