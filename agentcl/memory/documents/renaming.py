"""Files that were renamed or moved: known again by what they say, or by a name that is spelled otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple
from unicodedata import normalize

from agentcl.files import Source
from agentcl.store.base import Store
from agentcl.store.records import Document, Scope
from agentcl.store.rows import content_hash

# The root and two folders, as in /home/ada: what has only the root in common may be another machine's.
_LEAST_PARTS: Final = 3


class _Gone(NamedTuple):
    """A stored document whose file is not there any more."""

    uri: str
    beside: Path  # the nearest folder of its that is still there


class _Stored(NamedTuple):
    """What is stored of files below a folder."""

    gone: dict[bytes, list[_Gone]]  # by the digests of their texts
    spelt: dict[
        str, str
    ]  # uris with other letters than ASCII, by the form that all spellings share


class Renamed:
    """Tells as which document of a scope a file was stored before it was renamed or moved.

    That is one with the same text whose own file is gone, first one of the same name. Of what is left of its path, and that of
    the file that is met, at least the root and two folders must be the same, or all: another machine's file is no file that
    was renamed. Within the folder that is followed every file is near, and comes first.

    Or it is one whose name differs in how letters with accents are put together (NFC, NFD), as a Mac's and others do.

    Args:
        journal: where documents are.
        owner: the one scope that is looked in.
        within: the folder that is followed, if one is.
    """

    def __init__(self, journal: Store, owner: Scope, *, within: Path | None = None) -> None:
        self._journal = journal
        self._owner = owner
        self._within = within
        self._known: dict[Path, _Stored] = {}

    def before(self, source: Source) -> str:
        """Return the uri that a file had, each once; empty if it had none, or is stored as what it is named now."""
        if not source.uri or self._is_stored(source.uri):
            return ""
        folder, name = Path(source.uri).parent, Path(source.uri).name
        stored = self._below(folder)
        spelt = stored.spelt.pop(normalize("NFC", source.uri), "")
        if spelt and (not is_there(spelt) or _are_one(spelt, source.uri)):
            return spelt
        same = stored.gone.get(content_hash(source.text), [])
        fitting = [
            (not self._is_within(gone.uri), Path(gone.uri).name != name, number)
            for number, gone in enumerate(same)
            if self._is_within(gone.uri) or _is_near(gone.beside, folder)
        ]
        return same.pop(min(fitting)[-1]).uri if fitting else ""

    def _is_stored(self, uri: str) -> bool:
        return self._journal.find(kind=Document.kind, scope=self._owner, key=uri) is not None

    def _is_within(self, uri: str) -> bool:
        return self._within is not None and Path(uri).is_relative_to(self._within)

    def _below(self, folder: Path) -> _Stored:
        """Return what is stored of files that may have been renamed to one of a folder."""
        top = Path(*folder.parts[:_LEAST_PARTS])
        if self._within is not None and top.is_relative_to(self._within):
            top = self._within
        if top not in self._known:
            prefix = f"{top.as_posix().rstrip('/')}/"
            view = self._owner.exactly()
            uris = [*self._journal.keys(Document.kind, view=view, prefix=prefix)]
            spelt = {normalize("NFC", uri): uri for uri in uris if not uri.isascii()}
            self._known[top] = _Stored(self._gone(uris), spelt)
        return self._known[top]

    def _gone(self, uris: Iterable[str]) -> dict[bytes, list[_Gone]]:
        found: dict[bytes, list[_Gone]] = {}
        for uri in uris:
            if is_there(uri):
                continue
            held = self._journal.find(kind=Document.kind, scope=self._owner, key=uri)
            if isinstance(held, Document):
                beside = next(folder for folder in Path(uri).parents if folder.exists())
                found.setdefault(content_hash(held.text), []).append(_Gone(uri, beside))
        return found


def is_there(uri: str) -> bool:
    """Return whether the file of a document is there; of a row of a table, the table's."""
    return any(os.path.lexists(name) for name in (uri, _table(uri)) if name)


def _table(uri: str) -> str:
    return uri.rpartition("#")[0]


def _are_one(uri: str, other: str) -> bool:
    """Return whether two names that are there lead to one file, as on a disk that takes all spellings."""
    if _table(uri) and not os.path.lexists(uri):
        uri, other = _table(uri), _table(other)
    return Path(uri).samefile(other)


def _is_near(beside: Path, folder: Path) -> bool:
    """Return whether a file of a folder may have been renamed from one that lay in, or below, `beside`."""
    pairs = zip(beside.parts, folder.parts, strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return folder == beside or common >= _LEAST_PARTS
