"""A folder that a memory follows: what changed there is changed here, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from agentcl.errors import Duplicate, InvalidInput, NotFound
from agentcl.files import ReadLimits, Skipped, Source, load
from agentcl.memory.documents import writing as documents
from agentcl.memory.documents.renaming import Renamed
from agentcl.memory.documents.writing import Draft
from agentcl.memory.opened import Opened
from agentcl.store.records import Document, Record, Scope

_AT_ONCE: Final = 256  # documents that are withdrawn in one transaction

Add = Callable[[Iterator[Draft]], Sequence[Document]]  # in batches, each stored when it is encoded
Rewrite = Callable[[str, Callable[[Document], Draft]], Document]  # by uri, the next version


@dataclass(frozen=True, slots=True)
class Synced:
    """What following a folder did, or would do: documents by their uri."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]  # from, to
    removed: tuple[str, ...]  # no longer found; their history stays
    unchanged: int
    skipped: tuple[Skipped, ...]  # hidden, ignored, or not read


@dataclass(slots=True)
class _Held:
    """A document of the folder as it is stored."""

    id: str
    is_seen: bool = False


@dataclass(slots=True)
class _Plan:
    """What was found, as it is found."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0


def sync(
    opened: Opened,
    path: Path,
    owner: Scope,
    *,
    limits: ReadLimits,
    dry_run: bool,
    add: Add,
    rewrite: Rewrite,
) -> Synced:
    """Make the documents of a folder what its files are; `Memory.sync` documents it."""
    folder = _folder(path)
    held = _held(opened, folder, owner)
    skipped: list[Skipped] = []
    plan = _Plan()

    def new() -> Iterator[Draft]:
        """Yield what is to be added, and do at once what is to be changed."""
        renamed = Renamed(opened.journal, owner, within=folder)
        added = set[str]()  # a link of the folder leads to a file that was met already
        for source in load(folder, skipped=skipped, limits=limits, leave_out=opened.own_paths()):
            uri = source.uri
            before = uri if uri in held else renamed.before(source)
            if uri in added or (before in held and held[before].is_seen):
                continue
            if before:
                if before in held:  # what moved into the folder was not held in it
                    held[before].is_seen = True
                document = opened.journal.find(kind=Document.kind, scope=owner, key=before)
                if before == uri and document is not None and _says_the_same(document, source):
                    plan.unchanged += 1
                    continue
                if document is not None and (dry_run or written(before, source)):
                    if before == uri:
                        plan.updated.append(uri)
                    else:
                        plan.moved.append((before, uri))
                    continue
            added.add(uri)
            plan.added.append(uri)
            yield draft_of(source)

    def written(before: str, source: Source) -> bool:
        """Store what a file says as the next version of its document; False if there is none any more.

        Somebody else may change the same documents meanwhile, as another sync of the folder does.
        """
        for uri in dict.fromkeys((before, source.uri)):
            try:
                rewrite(uri, partial(_next, source=source))
                return True
            except NotFound:  # it was moved or deleted
                continue
            except (
                Duplicate
            ):  # its new name has a document already: this one is gone like any other
                if before in held:
                    held[before].is_seen = False
        return False

    if dry_run:
        for _ in new():
            pass
    else:
        add(new())
    lost = _lost(held, skipped)
    if lost and not (plan.added or plan.updated or plan.moved or plan.unchanged):
        raise InvalidInput(
            f"{folder} has no file that can be read, and {len(lost):,} documents came from it: is a disk not "
            "mounted? Nothing was changed. If they are to go, delete or forget them by name"
        )
    if not dry_run:
        _withdraw(opened, {uri: held[uri].id for uri in lost}, owner)
    return Synced(
        tuple(plan.added),
        tuple(plan.updated),
        tuple(plan.moved),
        tuple(lost),
        plan.unchanged,
        tuple(skipped),
    )


def _folder(path: Path) -> Path:
    try:
        is_there = path.exists()
    except OSError as error:
        raise InvalidInput(
            f"cannot look at {path}: {error.strerror}; nothing was changed"
        ) from error
    if not is_there:
        raise InvalidInput(f"{path} does not exist; nothing was changed. Check the path")
    if not path.is_dir():
        raise InvalidInput(f"{path} is no folder; add a file by its name")
    return path.resolve()


def _held(opened: Opened, folder: Path, owner: Scope) -> dict[str, _Held]:
    """Return what is stored of a folder in exactly one scope, by uri."""
    own = f"{folder.as_posix().rstrip('/')}/"
    return {
        one.uri: _Held(one.id)
        for one in opened.journal.records(Document, view=owner.exactly(), prefix=own)
    }


def _lost(held: Mapping[str, _Held], skipped: Sequence[Skipped]) -> list[str]:
    """Return what is stored and was not met, but for what is there and could not be read this time."""
    paths = [Path(one.path) for one in skipped if one.sort == "unread" and one.path]
    # Where it stands and where it leads: a file may have become a link. Path.resolve raises for one to itself.
    unread = {str(Path(os.path.realpath(path.parent)) / path.name) for path in paths}
    unread |= {os.path.realpath(path) for path in paths}
    return [uri for uri, one in held.items() if not one.is_seen and not _is_within(uri, unread)]


def _is_within(uri: str, paths: set[str]) -> bool:
    """Return whether a document is one of these files, a row of one, or lies in one of these folders."""
    file = uri if os.path.lexists(uri) else uri.rpartition("#")[0] or uri
    return bool(paths.intersection((file, *map(str, Path(file).parents))))


def _says_the_same(record: Record, source: Source) -> bool:
    assert isinstance(record, Document)
    return (
        (record.text, record.title, record.media_type)
        == (source.text, source.title, source.media_type)
    ) and all(record.metadata.get(name) == value for name, value in source.metadata.items())


def draft_of(source: Source) -> Draft:
    """Return what is remembered of a file."""
    return Draft(
        text=source.text,
        title=source.title,
        uri=source.uri,
        media_type=source.media_type,
        metadata=source.metadata,
    )


def _next(document: Document, source: Source) -> Draft:
    """Return the next version of a document: the file's words, and what was said of it here."""
    return replace(
        draft_of(source),
        metadata={**document.metadata, **source.metadata},
        valid_from=document.valid_from,
        valid_to=document.valid_to,
    )


def _withdraw(opened: Opened, lost: Mapping[str, str], owner: Scope) -> None:
    """Stop finding documents, ids by their uris, some in each transaction; what has another uri by now stays."""
    journal = opened.journal
    pairs = list(lost.items())
    for begin in range(0, len(pairs), _AT_ONCE):
        with journal.writing() as writing:
            for uri, id in pairs[begin : begin + _AT_ONCE]:
                record = journal.find(kind=Document.kind, scope=owner, key=uri)
                if isinstance(record, Document) and record.id == id:
                    documents.withdraw(writing, journal, record)
