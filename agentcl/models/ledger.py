"""The ledger: what every call to a model cost, by episode, job, purpose, model and day."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final, Literal, cast, get_args

from agentcl.errors import AgentclError, ConfigError, InvalidInput
from agentcl.models.base import GREEDY, ChatModel, Message, Reply, Sampling, Schema
from agentcl.models.metered import AskingModel
from agentcl.store.records import from_micros, now_micros, to_micros
from agentcl.store.sqlite.database import Database
from agentcl.store.usage import NO_USAGE, Usage
from agentcl.text.parsing import parsed_toml
from agentcl.text.paths import check_path, unread
from agentcl.text.tokens import estimate_tokens

By = Literal["day", "episode", "job", "purpose", "model"]
_PER: Final = 1_000_000  # tokens that a price is for
_SCHEMA: Final = """
CREATE TABLE call (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, model TEXT NOT NULL, purpose TEXT NOT NULL,
    episode TEXT NOT NULL, job TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, is_estimated INTEGER NOT NULL, is_cached INTEGER NOT NULL,
    duration_s REAL NOT NULL, error TEXT NOT NULL
)
"""
_GROUPS: Final[Mapping[By, str]] = {
    "day": "date(at / 1000000, 'unixepoch')",
    "episode": "episode",
    "job": "job",
    "purpose": "purpose",
    "model": "model",
}


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(_SCHEMA)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a model."""

    at: datetime
    model: str
    purpose: str
    episode: str
    job: str
    usage: Usage
    is_cached: bool
    error: str  # the name of what was raised; empty when it was answered


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """The calls of one day, episode, job, purpose or model, added up."""

    key: str
    usage: Usage  # of all calls; its tokens only of those that were asked of a model
    failed: int
    cached: int  # answered from a cache: they cost nothing
    price: float  # in the currency of the price table
    unpriced: int  # calls of models that the price table does not have


class Prices:
    """What a million tokens cost, by model.

    The file is TOML; `*` stands for anything, and the first line that fits counts:

        ["gpt-4o-mini*"]
        prompt = 0.15
        completion = 0.60
    """

    def __init__(self, table: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._table = dict(table or {})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Prices:
        """Read a price table.

        Raises:
            ConfigError: naming the file and what is wrong in it.
            InvalidInput: if `path` is no path.
        """
        path = check_path(path)
        try:
            read = parsed_toml(path.read_text("utf-8"))
            table = {
                name: (float(row["prompt"]), float(row["completion"])) for name, row in read.items()
            }
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the price table {path} cannot be read: {unread(error)}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"the price table {path} is wrong at {error!s}; each model needs the numbers "
                "`prompt` and `completion`"
            ) from error
        return cls(table)

    def price(self, model: str, usage: Usage) -> float | None:
        """Return what the tokens of a model cost; None for a model that is not in the table."""
        for pattern, (prompt, completion) in self._table.items():
            if fnmatchcase(model, pattern):
                return (usage.prompt_tokens * prompt + usage.completion_tokens * completion) / _PER
        return None


class Ledger:
    """Every call, in a file of its own that several processes may write.

    Args:
        path: the file; made if absent.
        prices: what tokens cost; applied when the ledger is read, so that a correction counts at once.

    Raises:
        InvalidInput: if `path` is no path.
    """

    def __init__(self, path: str | os.PathLike[str], *, prices: Prices | None = None) -> None:
        path = check_path(path)
        self._prices = prices or Prices()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = Database(
            path,
            durability="normal",
            migrations=(_create,),
            remedy="It holds nothing but costs: move it away, and a new one is begun",
        )

    def record(self, call: Call) -> None:
        """Append a call. Raises StoreUnavailable."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO call (at, model, purpose, episode, job, prompt_tokens,"
                " completion_tokens, is_estimated, is_cached, duration_s, error)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    to_micros(call.at),
                    call.model,
                    call.purpose,
                    call.episode,
                    call.job,
                    call.usage.prompt_tokens,
                    call.usage.completion_tokens,
                    call.usage.is_estimated,
                    call.is_cached,
                    call.usage.duration_s,
                    call.error,
                ),
            )

    def lines(self, *, by: By = "day", since: datetime | None = None) -> list[LedgerLine]:
        """Return the calls added up, in the order of the key.

        Raises:
            InvalidInput: if there is no such grouping.
        """
        if by not in get_args(By):
            raise InvalidInput(f"unknown grouping {by!r}; choose one of {', '.join(get_args(By))}")
        rows = self._database.read(
            f"SELECT {_GROUPS[by]}, model, count(*), sum(error != ''), sum(is_cached),"
            " sum(iif(is_cached, 0, prompt_tokens)), sum(iif(is_cached, 0, completion_tokens)),"
            " sum(duration_s), max(is_estimated) FROM call WHERE at >= ? GROUP BY 1, 2 ORDER BY 1, 2",
            (0 if since is None else to_micros(since),),
        )
        lines: dict[str, LedgerLine] = {}
        for row in cast(list[tuple[str, str, int, int, int, int, int, float, int]], rows):
            key, model, calls, failed, cached, prompt, completion, duration_s, estimated = row
            usage = Usage(calls, prompt, completion, duration_s, bool(estimated))
            price = self._prices.price(model, usage)
            held = lines.get(key, LedgerLine(key, NO_USAGE, 0, 0, 0.0, 0))
            lines[key] = LedgerLine(
                key,
                held.usage + usage,
                held.failed + failed,
                held.cached + cached,
                held.price + (price or 0.0),
                held.unpriced + (calls - cached if price is None else 0),
            )
        return list(lines.values())

    def close(self) -> None:
        """Close the file; calling it twice is allowed."""
        self._database.close()


class RecordedModel(AskingModel):
    """A model whose every call lands in a ledger, failed ones too.

    Args:
        model: who is asked.
        ledger: where it is written down.
        purpose: what the calls are for, e.g. "distil".
        episode: during which episode.
        job: for which job.
        clock: microseconds since 1970; for tests and replays.
    """

    def __init__(
        self,
        model: ChatModel,
        ledger: Ledger,
        *,
        purpose: str = "",
        episode: str = "",
        job: str = "",
        clock: Callable[[], int] = now_micros,
    ) -> None:
        super().__init__(model)
        self._ledger = ledger
        self._about = (purpose, episode, job)
        self._clock = clock

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the model's answer and write the call down. Raises ModelUnavailable."""
        return self._recorded(lambda: self._model.chat(messages, sampling=sampling, schema=schema))

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Offer the model tools and write the call down. Raises ModelUnavailable."""
        return self._recorded(lambda: self._call(messages, tools, sampling))

    def _recorded(self, ask: Callable[[], Reply]) -> Reply:
        started = time.perf_counter()
        try:
            reply = ask()
        except AgentclError as error:
            usage = Usage(calls=1, duration_s=time.perf_counter() - started)
            self._write(usage, error=type(error).__name__)
            raise
        self._write(reply.usage, model=reply.model, is_cached=reply.is_cached)
        return reply

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer; what came is written down, with estimated tokens, even if it is cut off."""
        started = time.perf_counter()
        pieces: list[str] = []
        problem = ""
        try:
            for piece in self._model.stream(messages, sampling=sampling):
                pieces.append(piece)
                yield piece
        except AgentclError as error:
            problem = type(error).__name__
            raise
        finally:
            asked = sum(estimate_tokens(message.content) for message in messages)
            duration_s = time.perf_counter() - started
            said = estimate_tokens("".join(pieces))
            self._write(Usage(1, asked, said, duration_s, is_estimated=True), error=problem)

    def _write(
        self, usage: Usage, *, model: str = "", is_cached: bool = False, error: str = ""
    ) -> None:
        purpose, episode, job = self._about
        at = from_micros(self._clock())
        self._ledger.record(
            Call(at, model or self.name, purpose, episode, job, usage, is_cached, error)
        )
