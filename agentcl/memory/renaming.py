"""Files that were renamed or moved: known again by what they say."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

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


class Renamed:
    """Tells as which document of a scope a file was stored before it was renamed or moved.

    That is one with the same text whose own file is gone. Of what is left of its path, and that of the file that is met, at
    least the root and two folders must be the same, or all: another machine's file is no file that was renamed.

    Args:
        journal: where documents are.
        owner: the one scope that is looked in.
        besides: uris that are not meant.
    """

    def __init__(self, journal: Store, owner: Scope, *, besides: Collection[str] = ()) -> None:
        self._journal = journal
        self._owner = owner
        self._besides = besides
        self._known: dict[Path, Mapping[bytes, list[_Gone]]] = {}

    def before(self, source: Source) -> str:
        """Return the uri that a file had, each once; empty if it had none, or is stored as what it is named now."""
        if not source.uri or self._is_stored(source.uri):
            return ""
        folder = Path(source.uri).parent
        top = Path(*folder.parts[:_LEAST_PARTS])
        if top not in self._known:
            self._known[top] = self._gone_below(top)
        same = self._known[top].get(content_hash(source.text), [])
        fitting = [gone for gone in same if _is_near(gone.beside, folder)]
        named = [gone for gone in fitting if Path(gone.uri).name == Path(source.uri).name]
        for gone in (named or fitting)[:1]:
            same.remove(gone)
            return gone.uri
        return ""

    def _is_stored(self, uri: str) -> bool:
        return self._journal.find(kind=Document.kind, scope=self._owner, key=uri) is not None

    def _gone_below(self, top: Path) -> Mapping[bytes, list[_Gone]]:
        """Return the documents below a folder whose files are gone, by the digest of their texts."""
        view, prefix = self._owner.exactly(), f"{top.as_posix().rstrip('/')}/"
        found: dict[bytes, list[_Gone]] = {}
        for uri in self._journal.keys(Document.kind, view=view, prefix=prefix):
            if uri in self._besides or is_there(uri):
                continue
            held = self._journal.find(kind=Document.kind, scope=self._owner, key=uri)
            if isinstance(held, Document):
                beside = next(folder for folder in Path(uri).parents if folder.exists())
                found.setdefault(content_hash(held.text), []).append(_Gone(uri, beside))
        return found


def is_there(uri: str) -> bool:
    """Return whether the file of a document is there; of a row of a table, the table's."""
    return any(os.path.lexists(name) for name in (uri, uri.rpartition("#")[0]) if name)


def _is_near(beside: Path, folder: Path) -> bool:
    """Return whether a file of a folder may have been renamed from one that lay in, or below, `beside`."""
    pairs = zip(beside.parts, folder.parts, strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return folder == beside or common >= _LEAST_PARTS
