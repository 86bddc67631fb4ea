"""The indexes of a memory: opened by the names that settings have for them, and cleared where none is open."""

from __future__ import annotations

import logging
from pathlib import Path

from agentcl.errors import ConfigError
from agentcl.retrieval.folders import FOLDER, claim, clear_others, home
from agentcl.retrieval.index import Index
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.store.base import Store
from agentcl.store.postgres.address import Address

logger = logging.getLogger(__name__)


def clear_closed(journal: Store) -> list[str]:
    """Clear the bytes of all that was erased from the indexes of a memory, of which none is open here.

    Returns:
        In words, what was done.
    """
    name = FullTextIndex.name
    folder = home(journal)
    if folder is None or not (folder / name).is_dir():
        return clear_unused(journal, None, set())
    mode = journal.mode()
    index = FullTextIndex(claim(folder / name, mode=mode), mode=mode)
    try:
        lagging = journal.since(index.watermark())
        index.remove([row.id for row in lagging if row.op == "erase"])
        index.clear()
    finally:
        index.close()
    used = [name, *(["usearch"] if _clear_rows(journal, folder / "usearch", mode) else [])]
    return [*used, *clear_unused(journal, folder, set(used))]


def _clear_rows(journal: Store, folder: Path, mode: int) -> bool:
    """Clear what was erased from the files of the index "usearch"; return whether it has such files still."""
    if not folder.is_dir():
        return False
    from agentcl.retrieval.vectors import row_files

    try:
        with row_files.turn(folder, "writing", mode=mode, wait=True):
            lagging = journal.since(row_files.read_head(folder).watermark)
            row_files.remove(folder, [row.id for row in lagging if row.op == "erase"], mode=mode)
            row_files.sweep(folder)
    except FileNotFoundError:
        return False
    except row_files.UNREADABLE as error:
        logger.warning("%s cannot be cleared row by row (%s)", folder, error)
        return False
    return True


def clear_unused(journal: Store, folder: Path | None, used: set[str]) -> list[str]:
    """Delete the folders of indexes that are not in use: they may hold what was erased.

    Args:
        journal: whose indexes.
        folder: where those in use are; None for nowhere.
        used: their names.
    """
    cleared = [] if folder is None else clear_others(folder, used)
    own = journal.folder / FOLDER
    if folder != own and not journal.read_only and not own.is_symlink():
        cleared += clear_others(own, set())  # what an earlier run left there
    return [f"{name} (unused, deleted)" for name in cleared]


def open_index(
    name: str, folder: Path, *, collection: str, mode: int | None = None, is_read_only: bool = False
) -> Index:
    """Open a dense index by its name in the settings.

    Args:
        name: of the index.
        folder: that indexes are kept in.
        collection: of which memory it is, and which epoch of its vectors.
        mode: of its files; default: as the umask leaves it.
        is_read_only: use the files of "usearch" as they are, and write none.

    Raises:
        ConfigError: if there is no such index.
        MissingExtra: if it needs a part that is not installed.
    """
    if name == "exact":
        from agentcl.retrieval.vectors.exact import ExactIndex

        return ExactIndex()
    if name == "usearch":
        from agentcl.retrieval.vectors.usearch import UsearchIndex

        return UsearchIndex(collection, folder / name, mode=mode, is_read_only=is_read_only)
    if name == "chroma" or name.startswith("chroma:http://"):
        from urllib.parse import urlsplit

        from agentcl.retrieval.vectors.chroma import ChromaIndex

        if name == "chroma":
            return ChromaIndex(collection, folder=folder / "chroma")
        parts = urlsplit(name.removeprefix("chroma:"))
        host, port = parts.hostname or "localhost", parts.port or 8000
        return ChromaIndex(collection, host=host, port=port)
    raise ConfigError(
        f"unknown index {name!r}; choose 'exact', 'usearch', 'pgvector', 'chroma' or 'chroma:http://HOST:PORT'"
    )


def open_pgvector(journal: Store, epoch: int) -> Index:
    """Open the index in the database of a memory; one that is only read is held in this process.

    Raises:
        ConfigError: if the memory is in no database, or its server has no pgvector.
    """
    address = getattr(journal, "address", None)
    if not isinstance(address, Address):
        raise ConfigError(
            "the index 'pgvector' is in the database of a memory, and this memory is a folder; use index='exact', or copy it: "
            "agentcl copy FOLDER postgresql://HOST/DATABASE"
        )
    if journal.read_only:
        return open_index("exact", journal.folder, collection="")
    from agentcl.retrieval.vectors.pgvector import PgvectorIndex

    return PgvectorIndex(address, epoch=epoch)
