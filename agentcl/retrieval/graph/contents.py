"""What passages name and state, as nodes: every version of it, so that any moment can be looked at."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agentcl.retrieval.graph.adjacency import Ints
from agentcl.retrieval.graph.fact_columns import FactColumns
from agentcl.retrieval.graph.names import Extractor
from agentcl.retrieval.graph.phrases import normalise
from agentcl.retrieval.graph.settings import Edges
from agentcl.retrieval.graph.view import PassagePart
from agentcl.retrieval.index import NOTHING, Change, Entry, Same
from agentcl.store.records import Scope

_TOLD: Final = 200  # passages between two words about progress


@dataclass(slots=True)
class Held:
    """A version of a record, and until when it lived."""

    entry: Entry
    ended_at: int | None = None

    def is_live(self, at: int | None) -> bool:
        """Return whether it lived at a moment; None: now."""
        if at is None:
            return self.ended_at is None
        return self.entry.created_at <= at and (self.ended_at is None or at < self.ended_at)


@dataclass(slots=True, kw_only=True)
class HeldPassage(Held):
    """A passage: its node, and what its text names, which is found when it is first asked for."""

    node: int
    text: str = ""  # until then
    text_part: PassagePart | None = None


@dataclass(slots=True, kw_only=True)
class HeldReading(Held):
    """That a passage was read, with what it names besides its facts."""

    phrases: Ints
    is_failed: bool


class Contents:
    """Passages, facts and readings of one memory. Not safe for threads: the owner takes turns.

    Args:
        extractor: finds what a passage's text names.
    """

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self.nodes = 0
        self.passages: dict[int, HeldPassage] = {}  # by seq
        self.by_node: dict[int, HeldPassage] = {}
        self.seq_of = array("q")  # by node; 0 for a phrase
        self.facts = FactColumns()
        self.live: dict[str, Held] = {}  # passages and readings, by id
        self.scopes: dict[Scope, int] = {}
        self.spelling: dict[int, str] = {}  # a phrase's node -> the form all its spellings share
        self.tenant_of: dict[int, int] = {}  # a phrase's node -> the number of its tenant
        self._words: dict[int, dict[str, int]] = {}  # a tenant's number -> phrase -> node
        self.tenants: dict[str, int] = {}
        self._readings_of: dict[str, list[HeldReading]] = {}  # by the passage's id

    def change(self, change: Change) -> list[str]:
        """Follow one row of the journal; return the ids of the passages that it concerns."""
        concerned: list[str] = []
        ended = self.live.pop(change.id, None)
        if ended is not None:
            ended.ended_at = change.at
            concerned.append(_passage_id(ended.entry))
        elif (stated_by := self.facts.end(change.id, change.at)) is not None:
            concerned.append(stated_by)
        if change.added is not None:
            self._take(change.added)
            concerned.append(_passage_id(change.added))
        return concerned

    @property
    def extractor_name(self) -> str:
        """By what the names of texts were found."""
        return self._extractor.name

    def every(self) -> list[Held]:
        """Return all versions of all passages, then of all readings, each by seq."""
        readings = [reading for of_one in self._readings_of.values() for reading in of_one]
        readings.sort(key=lambda reading: reading.entry.seq)
        return [*self.passages.values(), *readings]

    def hold(self, held: Held) -> None:
        """Take up a passage or reading whose nodes are known; the live ones are found by their ids."""
        entry = held.entry
        if isinstance(held, HeldPassage):
            self.passages[entry.seq] = held
            self.by_node[held.node] = held
            self.seq_of[held.node] = entry.seq
        elif isinstance(held, HeldReading):
            self._readings_of.setdefault(entry.sources[0], []).append(held)
        if held.ended_at is None:
            self.live[entry.id] = held

    def restore_phrases(
        self,
        nodes: Sequence[int],
        words: Sequence[str],
        tenants: Sequence[int],
        names: Mapping[str, int],
    ) -> None:
        """Take up phrases that were given nodes before, and the numbers of all tenants by their `names`."""
        self.tenants = dict(names)
        self.spelling = dict(zip(nodes, words, strict=True))
        self.tenant_of = dict(zip(nodes, tenants, strict=True))
        self._words = {number: {} for number in names.values()}
        for node, word, tenant in zip(nodes, words, tenants, strict=True):
            self._words[tenant][word] = node

    def part(self, passage: HeldPassage, edges: Edges, at: int | None) -> PassagePart:
        """Return what a passage brings to a graph at a moment."""
        id = passage.entry.id
        facts = self.facts.pairs(id, at)
        readings = [r for r in self._readings_of.get(id, ()) if r.is_live(at) and not r.is_failed]
        if not facts and not readings:
            return self._text_part(passage)
        pairs = np.array(facts, np.int32).reshape(-1, 2)
        phrases = [pairs.ravel()]
        listed = [reading.phrases for reading in readings if len(reading.phrases)]
        if edges.names != "facts":
            phrases += listed
        if edges.names == "all" or (edges.names == "extracted" and not listed):
            phrases.append(self._text_part(passage).phrases)
        return PassagePart(np.unique(np.concatenate(phrases)), pairs[pairs[:, 0] != pairs[:, 1]])

    def read_texts(self, progress: Callable[[float], None] = lambda share: None) -> None:
        """Find what the live passages name that nobody has read: each graph wants to know it.

        `progress` is called now and then with the share that is done, 0 to 1.
        """
        for number, passage in enumerate(self.passages.values(), start=1):
            if number % _TOLD == 0 or number == len(self.passages):
                progress(number / len(self.passages))
            readings = self._readings_of.get(passage.entry.id, ())
            if passage.ended_at is None and not any(
                reading.is_live(None) and not reading.is_failed for reading in readings
            ):
                self._text_part(passage)

    def knows(self, ids: Collection[str]) -> bool:
        """Return whether one of these records, live or past, is here."""
        known = {held.entry.id for held in self.every()}
        return not (known.isdisjoint(ids) and set(ids).isdisjoint(self.facts.ids))

    def find(self, phrase: str, tenants: Iterable[str], same: Same = ()) -> list[int]:
        """Return the nodes of a phrase, for each tenant that has it; with those of its other names."""
        normal = normalise(phrase)
        found: dict[int, None] = {}
        for tenant in sorted(tenants):
            groups = (names for owner, names in same if owner == tenant and normal in names)
            found.update(dict.fromkeys(self._known(tenant, next(groups, (normal,)))))
        return [*found]

    def same(self, same: Same) -> dict[int, int]:
        """Return for names that are one, each but the first, the node of the first that is known here."""
        found: dict[int, int] = {}
        for tenant, names in same:
            nodes = sorted(self._known(tenant, names))
            found.update(dict.fromkeys(nodes[1:], nodes[0]) if nodes else {})
        return found

    def _known(self, tenant: str, names: Iterable[str]) -> list[int]:
        number = self.tenants.get(tenant)
        words = {} if number is None else self._words[number]
        return [words[name] for name in names if name in words]

    def spelled(self, phrases: Iterable[int]) -> list[str]:
        """Return phrases by their nodes."""
        return [self.spelling[node] for node in phrases]

    def _take(self, entry: Entry) -> None:
        self.scopes.setdefault(entry.scope, len(self.scopes))
        if entry.kind == "passage":
            self.hold(self._take_passage(entry))
            return
        number, fields = self._tenant(entry.scope.tenant), entry.fields
        if entry.kind == "fact":
            subject = self._node(number, normalise(fields["subject"]))
            object_ = self._node(number, normalise(fields["object"]))
            passage_id = entry.sources[0]
            self.facts.add(entry.seq, entry.id, passage_id, subject, object_, entry.created_at)
            return
        phrases = self._nodes(number, fields["phrases"])
        self.hold(
            HeldReading(_header(entry, NOTHING), phrases=phrases, is_failed=bool(fields["error"]))
        )

    def _take_passage(self, entry: Entry) -> HeldPassage:
        # What an index keeps of a passage is its header: the text is in the journal.
        header = _header(entry, {"title": entry.fields["title"]})
        return HeldPassage(header, node=self._new_node(), text=entry.fields["text"])

    def _text_part(self, passage: HeldPassage) -> PassagePart:
        """Return what a passage's text names; few ask that of one that was read for facts."""
        if passage.text_part is None:
            entry = passage.entry
            found = self._extractor.extract(entry.fields["title"], passage.text)
            number = self._tenant(entry.scope.tenant)
            pairs = [
                (self._node(number, subject), self._node(number, object_))
                for fact in found.facts
                if (subject := normalise(fact.subject)) and (object_ := normalise(fact.object))
            ]
            named = np.array(pairs, np.int32).reshape(-1, 2)
            phrases = np.union1d(self._nodes(number, found.phrases), named.ravel())
            passage.text_part = PassagePart(
                phrases.astype(np.int32), named[named[:, 0] != named[:, 1]]
            )
            passage.text = ""
        return passage.text_part

    def _nodes(self, tenant: int, phrases: Sequence[str]) -> Ints:
        normal = dict.fromkeys(map(normalise, phrases))
        normal.pop("", None)
        return np.array([self._node(tenant, phrase) for phrase in normal], np.int32)

    def _tenant(self, name: str) -> int:
        number = self.tenants.setdefault(name, len(self.tenants))
        self._words.setdefault(number, {})
        return number

    def _node(self, tenant: int, phrase: str) -> int:
        node = self._words[tenant].get(phrase)
        if node is None:
            node = self._words[tenant][phrase] = self._new_node()
            self.spelling[node] = phrase
            self.tenant_of[node] = tenant
        return node

    def _new_node(self) -> int:
        self.nodes += 1
        self.seq_of.append(0)
        return self.nodes - 1


def _passage_id(entry: Entry) -> str:
    return entry.id if entry.kind == "passage" else entry.sources[0]


def _header(entry: Entry, fields: Mapping[str, object]) -> Entry:
    """Return an entry without what only its text tells."""
    return entry._replace(text="", vector=None, fields=fields)
