"""Taking soft tokens along when a memory is copied: those that its records name, each checked."""

from __future__ import annotations

from agentcl.compression.bank import Bank
from agentcl.errors import StoreUnavailable
from agentcl.retrieval.folders import claim, home
from agentcl.store.base import Store
from agentcl.store.records import Compression, ScopeView

_EVERYBODY = ScopeView(None, None, None, None)


class BankCopy:
    """Copies the soft tokens of a memory beside a copy of its records. Called again, it goes on.

    Attributes:
        copied: memories that lie in the target now.
        lost: memories that are missing or damaged in the source: they are read as text, and `compress` makes them anew.
    """

    def __init__(self) -> None:
        self.copied = self.lost = 0
        self._done: dict[str, dict[int, str]] = {}  # shards that are whole in the target

    def __call__(self, source: Store, target: Store) -> None:
        """Bring the target's bank to where the source's records are.

        Raises:
            StoreUnavailable: if it cannot be written.
        """
        named: dict[str, dict[int, str]] = {}
        for one in source.records(Compression, view=_EVERYBODY):
            if one.slots:
                named.setdefault(one.shard, {})[one.row] = one.digest
        many, self.lost = sum(map(len, named.values())), 0
        folders = home(source), home(target)
        if folders[1] is not None and (named or (folders[1] / Bank.name).is_dir()):
            try:
                self._copy(
                    named,
                    None if folders[0] is None else Bank(folders[0] / Bank.name),
                    Bank(claim(folders[1] / Bank.name, mode=target.mode()), mode=target.mode()),
                )
            except OSError as error:
                raise StoreUnavailable(
                    f"cannot copy soft tokens to {folders[1]}: {error.strerror or error}; run it again to go on"
                ) from error
        elif named:
            self.lost = many
        self.copied = many - self.lost

    def _copy(self, named: dict[str, dict[int, str]], source: Bank | None, target: Bank) -> None:
        for shard in target.shards():  # a copy that was cut off may hold what was forgotten since
            target.clear(named, only=shard)
        target.clear_partial()
        for shard, rows in named.items():
            if self._done.get(shard) == rows:
                continue
            lost = target.take_over(shard, rows, source or target)
            self.lost += lost
            if not lost:
                self._done[shard] = rows
