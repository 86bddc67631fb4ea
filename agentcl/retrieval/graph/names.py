"""From a passage to what it names and the facts that it states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

from agentcl.retrieval.graph.phrases import mentions, normalise, title_phrases
from agentcl.store.records import clause

_LONGEST_LINK: Final = 120  # characters between two names that may say how they are related
_MOST: Final = 2_000  # phrases of a passage; a table of names is cut there


class Triple(NamedTuple):
    """One fact as a passage states it."""

    subject: str
    predicate: str
    object: str

    @property
    def clause(self) -> str:
        """The fact as it is encoded and shown."""
        return clause(self.subject, self.predicate, self.object)


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was found in one passage: its phrases as they are written, and facts between them."""

    phrases: tuple[str, ...]
    facts: tuple[Triple, ...] = ()
    dropped: int = 0  # facts that the extractor did not believe itself


class Extractor(Protocol):
    """Finds what a passage names and states. Safe to call from several threads.

    `name` identifies the way of extraction: what one extractor has read, another has not.
    """

    name: str

    def extract(self, title: str, text: str) -> Extracted:
        """Return what a passage names; nothing found is an empty extraction, never an error.

        Raises:
            SchemaViolation: (or NoAnswer, InvalidInput, RequestRefused) if this passage cannot be read.
            ModelUnavailable: if no passage can be read now.
        """
        ...


class NameExtractor:
    """The default, without any model: names by their capitals, facts from names that stand together.

    The title names what the passage is about. Two names that follow each other in a sentence are a
    fact whose predicate is the words between them.
    """

    name = "names-1"

    def extract(self, title: str, text: str) -> Extracted:
        """Return names of title and text, each once, and what stands between neighbours."""
        found: dict[str, str] = {}
        facts: dict[tuple[str, str, str], Triple] = {}
        for phrase in title_phrases(title):
            found.setdefault(normalise(phrase), phrase)
        for sentence, names in mentions(f"{title}\n{text}"):
            for name in names:
                found.setdefault(normalise(name), name)
            for triple in _neighbours(sentence, names):
                facts.setdefault((triple.subject, triple.predicate, triple.object), triple)
        found.pop("", None)
        return Extracted(tuple(found.values())[:_MOST], tuple(facts.values())[:_MOST])


def _neighbours(sentence: str, names: list[str]) -> Iterable[Triple]:
    place = 0
    for subject, object_ in pairwise(names):
        begin = sentence.find(subject, place) + len(subject)
        end = sentence.find(object_, begin)
        between = sentence[begin:end].strip(" ,;:()")
        if end >= 0 and 0 < len(between) <= _LONGEST_LINK:
            yield Triple(subject, between, object_)
        place = begin
