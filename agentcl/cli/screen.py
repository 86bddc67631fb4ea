"""How the command line shows things: tables and lines for a reader, JSON for a program."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from agentcl.cli.naming import from_here, whose
from agentcl.cli.terminal import Bar, Bars, styled, table, write
from agentcl.errors import InvalidInput
from agentcl.text.counted import counted, plural
from agentcl.text.pages import with_numbers
from agentcl.text.saving import is_stdout
from agentcl.text.visible import for_json, shortened, visible

# What is shown is imported where it is used: `--help` must not wait for it.
if TYPE_CHECKING:
    from agentcl.agents.tuning import Tuning
    from agentcl.memory.facts.explanations import Explanation
    from agentcl.memory.facts.graph import GraphStats, Near
    from agentcl.memory.forgetting import Receipt
    from agentcl.memory.memory import Memory
    from agentcl.memory.upkeep.doctor import Report
    from agentcl.memory.upkeep.storage import Stats
    from agentcl.memory.upkeep.tiers import Tier
    from agentcl.models.check import Endpoint
    from agentcl.models.kept import KeptModel
    from agentcl.models.ledger import LedgerLine
    from agentcl.retrieval.recall import Recall
    from agentcl.store.conversations import Turn
    from agentcl.store.jobs import Job
    from agentcl.store.records import Record
    from agentcl.store.rows import Version


def to_json(value: object) -> Any:  # JSON
    """Return any of our values as what `json` can write; times in ISO 8601."""
    from agentcl.retrieval.recall import Hit
    from agentcl.store.records import Record

    if isinstance(value, Record):
        own = {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
        return {"kind": value.kind, **own}
    if isinstance(value, Hit):
        names = (f.name for f in fields(value) if f.name != "beside")
        own = {name: to_json(getattr(value, name)) for name in names}
        return {**own, "matched_terms": list(value.matched_terms)}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return to_json(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


class Screen:
    """Writes results to standard output, and progress and errors to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._bars: Bars | None = None  # while some are shown

    def json(self, value: object, *, is_aside: bool = False) -> None:
        """Print one JSON document; to standard error if it is beside the result."""
        stream = sys.stderr if is_aside else sys.stdout
        click.echo(_dumped(to_json(value), stream, indent=2), file=stream)

    def saved(self, path: Path, text: str, **counts: object) -> None:
        """Say what was written to a file; beside the result, if that was printed."""
        if self.as_json:
            self.json(counts, is_aside=is_stdout(path))
        elif is_stdout(path):
            self.note(text)
        else:
            self.line(text)

    def answer(self, value: object, *lines: str) -> None:
        """Print a value as JSON if that is asked for, else what it says in lines."""
        if self.as_json:
            self.json(value)
            return
        for line in lines:
            self.line(line)

    def row(self, value: object, *lines: str) -> None:
        """Print a value of several as a line of JSON if that is asked for, else what it says in lines."""
        if self.as_json:
            click.echo(_dumped(to_json(value), sys.stdout))
            return
        for line in lines:
            self.line(line)

    def error(self, error: Exception) -> None:
        """Print what went wrong, and nothing else."""
        if self.as_json:
            problem = {"error": type(error).__name__, "message": str(error)}
            click.echo(_dumped(problem, sys.stderr), file=sys.stderr)
        else:
            self._print(f"{_bad('error:')} {visible(str(error))}", is_error=True)

    def note(self, text: str) -> None:
        """Print a remark for the reader that is no part of the result."""
        self._print(styled(text, dim=True), is_error=True)

    def agree(self, question: str) -> None:
        """Ask before something is done. Raises Abort if the answer is no, and InvalidInput if nobody can answer."""
        try:
            is_agreed = click.confirm(visible(question), err=True)
        except click.Abort as error:
            if sys.stdin is not None and sys.stdin.isatty():
                raise
            click.echo(err=True)
            raise InvalidInput("nobody answered; --yes does it without asking") from error
        if not is_agreed:
            raise click.Abort

    def raw(self, text: str) -> None:
        """Print a text as it is, for a program to read."""
        click.echo(text, file=sys.stdout, nl=not text.endswith("\n"))

    def line(self, text: str) -> None:
        """Print one line of the result."""
        self._print(visible(text))

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Bar]:
        """Show how far work is on standard error; nothing when that is no terminal."""
        with self.several() as bars:
            yield bars.add(label, total)

    @contextmanager
    def several(self) -> Iterator[Bars]:
        """Show how far several things are at once; see `progress`."""
        is_shown = not self.as_json and sys.stderr.isatty()
        try:
            with Bars(sys.stderr, is_shown=is_shown) as self._bars:
                yield self._bars
        finally:
            self._bars = None

    def recall(self, recall: Recall, explanations: Sequence[Explanation] = ()) -> None:
        """Print hits with why each is there, and perhaps the chain that led to it."""
        chains = {explanation.hit: str(explanation) for explanation in explanations}
        if not recall.hits:
            self.line("nothing found")
        for number, hit in enumerate(recall, start=1):
            uri = from_here(hit.uri)
            name = shorten(hit.title or uri)
            heading = styled(f"{number}. {name}".rstrip(), bold=True)
            self._print(f"{heading}  {styled(hit.document_id, dim=True)}")
            self.line(f"   {shorten(hit.text)}")
            about = [hit.why(), f"recorded {hit.created_at:%Y-%m-%d %H:%M}"]
            if hit.said_at:
                about[1:] = [f"said by {hit.speaker}, {hit.said_at:%Y-%m-%d %H:%M}"]
            if uri and uri != name:
                about.append(uri)
            if page := hit.metadata.get("page"):
                about.append(f"page {page}")
            if owner := whose(hit.scope):
                about.append(owner)
            self._print(f"   {styled(' · '.join(about), dim=True)}")
            if hit.id in chains:
                self.line(f"   {chains[hit.id]}")
        for what in recall.damaged:
            self.note(f"left out: {what}")
        if recall.way:
            self.note(f"graph: {recall.way}")
        if recall.warning:
            self.note(recall.warning)
        elif recall.is_lexical and recall.mode != "text":
            self.note(
                f"encoder {recall.encoder} compares spelling only; for meaning: "
                "pip install 'agentcl[local]'"
            )

    def ledger(self, by: str, lines: Sequence[LedgerLine]) -> None:
        """Print what calls cost, a line for each group."""
        columns = ("calls", "failed", "cached", "read", "written", "seconds", "price", "unpriced")
        rows = [
            (
                line.key or "-",
                *(f"{count:,}" for count in (line.usage.calls, line.failed, line.cached)),
                f"{line.usage.prompt_tokens:,}",
                f"{line.usage.completion_tokens:,}",
                f"{line.usage.duration_s:.1f}",
                f"{line.price:.4f}",
                str(line.unpriced),
            )
            for line in lines
        ]
        self._table((by, *columns), rows)

    def endpoint(self, endpoint: Endpoint) -> None:
        """Print what an endpoint can do."""
        length = endpoint.context_length
        about = "" if length is None else f", context of {length:,} tokens"
        name = styled(endpoint.model, bold=True)
        self._print(f"{name} at {visible(endpoint.url)}{about}")
        for capability in endpoint.capabilities:
            is_there = capability.is_there
            mark = styled("yes" if is_there else "no ", color="green" if is_there else "red")
            detail = f"  {styled(capability.detail, dim=True)}" if capability.detail else ""
            self._print(f"{mark}  {visible(capability.name)}{detail}")

    def kept_models(self, models: Sequence[KeptModel]) -> None:
        """Print one line for each model of this machine."""
        if not models:
            self.line("no model is kept; fetch one with `agentcl model get smollm2-135m`")
            return
        rows = [
            (one.name, one.format, f"{one.size / 1e6:,.0f}", one.licence or "not named", one.source)
            for one in models
        ]
        self._table(("name", "format", "MB", "licence", "source"), rows)

    def kept_model(self, model: KeptModel) -> None:
        """Print what is known of a model of this machine."""
        about = to_json(model)
        hashes = about.pop("sha256")
        about["licence"] = model.licence or "its source names none; look before you use it"
        about["size"] = f"{model.size / 1e6:,.0f} MB"
        rows = [(name.replace("_", " "), str(value)) for name, value in about.items()]
        rows += [("sha256", f"{digest}  {file}") for file, digest in hashes.items()]
        self._table(("", ""), rows)

    def tuning(self, found: Tuning, file: Path) -> None:
        """Print what was measured of a model, what was chosen by it, and where that is kept."""
        rows = []
        for one in found.figures:
            each = f"{one.usage.tokens / one.cases:,.0f}"
            rows.append((one.probe, one.asked, one.condition, str(one.right), str(one.cases), each))
        self._table(("probe", "asked", "condition", "right", "of", "tokens each"), rows)
        for what in found.left_out:
            self.line(f"left out: {what}")
        asking = found.asking
        schema = "with a schema" if asking.is_constrained else "without a schema"
        self.line(
            f"chosen: actions {asking.way!r}; {asking.examples} examples before lessons; objects {schema}"
        )
        self.line(f"kept for these weights in {file}")

    def graph_stats(self, stats: GraphStats) -> None:
        """Print how large a graph is."""
        self.line(
            f"{counted(stats.phrases, 'phrase')} in {counted(stats.passages, 'passage')}, {stats.shared_phrases:,} of "
            "them in several"
        )
        self.line(
            f"{stats.context_edges:,} context edges; {stats.facts:,} facts, {stats.fact_edges:,} pairs "
            "of phrases"
        )
        for phrase, count in stats.hubs:
            self.line(f"{count:>8,}  {phrase}")

    def near(self, near: Near) -> None:
        """Print what is one step from a phrase."""
        self._print(styled(near.phrase, bold=True))
        if near.same:
            self.line(f"  also named: {', '.join(near.same)}")
        for id, title in near.passages:
            self.line(f"  in {title or 'a passage'}  {id}")
        for subject, predicate, object_, _ in near.facts:
            self.line(f"  {subject} | {predicate} | {object_}")
        if near.phrases:
            named = ", ".join(f"{name} ({count})" for name, count in near.phrases)
            self.line(f"  named with it: {named}")

    def record(self, record: Record) -> None:
        """Print one record in full."""
        for name, value in to_json(record).items():
            if value not in (None, "", [], {}) and name != "text":
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                self._print(f"{styled(name, bold=True)}: {visible(shown)}")
        text = getattr(record, "text", None)
        if text:
            self.line("")
            self.line(with_numbers(text) if hasattr(record, "media_type") else text)

    def turns(self, turns: Sequence[Turn]) -> None:
        """Print what was said, each with who said it and when."""
        for turn in turns:
            self.line("")
            self._print(styled(f"{turn.speaker}, {turn.said_at}", bold=True))
            self.line(turn.text)

    def records(self, records: Sequence[Record]) -> None:
        """Print one line for each record."""
        if not records:
            self.line("there are no such records")
            return
        rows = []
        for record in records:
            uri = from_here(getattr(record, "uri", ""))
            name = uri or (record.key or "" if record.kind == "conversation" else "")
            what = (
                getattr(record, "title", "")
                or name
                or shorten(getattr(record, "text", "") or record.search_text() or "", 60)
            )
            when = f"{record.created_at:%Y-%m-%d %H:%M}"
            owner, where = whose(record.scope), "" if name == what else name
            rows.append((record.id, str(record.version), when, owner, what, where))
        self._table(("id", "version", "recorded", "scope", "what", "uri"), rows)

    def jobs(self, jobs: Sequence[Job], *, cut_off: Collection[str] = ()) -> None:
        """Print one line for each job; of those that nobody runs any more it says so."""
        if self.as_json:
            self.json([{**to_json(job), "is_cut_off": job.id in cut_off} for job in jobs])
            return
        for job in jobs:
            total = job.total if job.total is not None else job.price and job.price.units
            about = [
                f"{'cut off' if job.id in cut_off else job.state:<9}  {job.kind}",
                f"{job.done:,} of {'?' if total is None else f'{total:,}'}",
                f"{job.created_at:%Y-%m-%d %H:%M}",
                whose(job.scope),
                shorten(job.error or _said(job.spec), 80),
            ]
            self.line("  ".join([job.id, *filter(None, about)]))
        if not jobs:
            self.line("there are no jobs")

    def job(self, job: Job, *, is_cut_off: bool = False) -> None:
        """Print what is known of a job."""
        if self.as_json:
            self.json({**to_json(job), "is_cut_off": is_cut_off})
            return
        about = {**to_json(job), "scope": whose(job.scope), "spec": _said(job.spec)}
        if job.price is not None:
            tokens = "" if job.price.tokens is None else f", about {job.price.tokens:,} tokens"
            about["price"] = f"{job.price.units:,} units{tokens}"
        if is_cut_off:
            about["state"] = "cut off: its process was killed, and nobody runs it"
        rows = [(name, str(value)) for name, value in about.items() if value not in (None, "")]
        self._table(("", ""), rows)

    def history(self, versions: Sequence[Version]) -> None:
        """Print one line for each version."""
        words = {"put": "recorded", "delete": "deleted", "erase": "forgotten"}
        before = ""
        for version in versions:
            text = shorten(getattr(version.record, "text", "") or "", 80)
            number = styled(str(version.version), bold=True)
            told = f"{words[version.op]} {version.at.isoformat()}  {visible(text)}"
            uri = getattr(version.record, "uri", "")
            if before and uri and uri != before:
                told += f"  (moved from {visible(from_here(before))} to {visible(from_here(uri))})"
            before = uri or before
            self._print(f"{number} {told}")

    def receipt(self, receipt: Receipt) -> None:
        """Print what was forgotten, and from where."""
        self.line(f"receipt {receipt.id}, {receipt.at.isoformat()}")
        for removed in receipt.removed:
            self.line(f"  {removed.kind} {removed.id}, {removed.versions} version(s)")
        self.line(
            f"{counted(len(receipt.removed), 'record')} and {counted(receipt.vectors, 'vector')} removed"
        )
        for lesson in receipt.lessons:
            why = f"drawn from {lesson.drawn_from}" if lesson.drawn_from else "it was named"
            others = len(lesson.stated_by)
            more = f"; {others} other episode(s) stated the same, and keep that" if others else ""
            self.line(f"the lesson {lesson.id} is gone: {why}{more}")
        for name in receipt.adapters:
            files = sum(one.startswith(f"{name}/") for one in receipt.adapter_files)
            self.line(
                f"the adapter {name} held some of it: revoked, and its {files} file(s) erased"
            )
        if receipt.shards:
            self.line(
                f"of its shards these held it, and the others stay: {', '.join(receipt.shards)}"
            )
        for job in receipt.rebuilds:
            self.line(f"job {job} waits to train one without it: agentcl jobs run {job}")
        self.line(
            f"no byte of them left since {receipt.cleared_at.isoformat()} in: {', '.join(receipt.cleared)}"
        )
        for place in receipt.beyond:
            self.line(f"for the database's administrator to clear: {place}")
        for copy in receipt.copies:
            self.line(f"may still be in the {copy.what} {copy.path} of {copy.made_at:%Y-%m-%d}")

    def stats(self, stats: Stats) -> None:
        """Print the size and state of a memory."""
        rows = [("database", str(stats.place))] if stats.place else []
        rows.append(("folder", str(stats.path)))
        rows += [(plural(kind), f"{count:,}") for kind, count in sorted(stats.records.items())]
        rows.append(("rows in the journal", f"{stats.versions:,}"))
        rows.append(("scopes", f"{stats.scopes:,}"))
        rows.append(("encoder", str(stats.encoder or "none yet")))
        for state in stats.indexes:
            lag = f", {state.lag} rows behind" if state.lag else ""
            sizes = (("memory", state.memory), ("files", state.disk))
            takes = "".join(f", {size / 1e6:,.1f} MB in {where}" for where, size in sizes if size)
            rows.append((f"index {state.name}", f"at row {state.watermark:,}{lag}{takes}"))
        rows.append(("on disk", f"{sum(stats.bytes.values()) / 1e6:,.1f} MB"))
        self._table(("", ""), rows)
        self.tiers(stats.tiers)

    def tiers(self, tiers: Sequence[Tier]) -> None:
        """Print how often each tier of a memory is written."""
        rows = [
            (
                tier.name,
                f"{tier.records:,}",
                f"{tier.last:%Y-%m-%d %H:%M}" if tier.last else "never",
                f"{tier.rows:,}",
                f"{tier.moved_up:,}",
                f"{tier.jobs:,}",
                f"{tier.busy_s:,.0f} s",
                f"{tier.tokens:,}",
            )
            for tier in tiers
        ]
        self.line("")
        self.line("rows, new, jobs, took and tokens are of the last 7 days")
        columns = ("tier", "holds", "last written", "rows", "new", "jobs", "took", "tokens")
        self._table(columns, rows)

    def report(self, report: Report) -> None:
        """Print what the doctor found."""
        rows = [(one.name, str(one.value), one.origin) for one in report.settings]
        self._table(("setting", "value", "from"), rows)
        self.line("")
        failed = {problem.check for problem in report.problems}
        for check in report.checks:
            mark = _bad("FAILED") if check in failed else styled("ok", color="green")
            self._print(f"{mark}  {visible(check)}")
        for problem in report.problems:
            self._print(f"{_bad('problem')}: {visible(problem.message)}")
        for note in report.notes:
            self.line(note)
        verdict = "healthy" if report.is_healthy else f"{len(report.problems)} problem(s)"
        self.line(f"{counted(report.rows, 'row')} examined: {verdict}")

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; one that goes to a file or a program has a line for each row."""
        most = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        self._print(table(columns, rows, most=most))

    def _print(self, text: str, *, is_error: bool = False) -> None:
        with nullcontext() if self._bars is None else self._bars.aside():
            write(text, is_error=is_error)


def describe_encoder(memory: Memory) -> str:
    """Return one line about the encoder in use."""
    kind = "lexical only" if memory.store.encoder.is_lexical else "by meaning"
    return f"encoder {memory.store.encoder.name} ({kind})"


def _dumped(value: object, stream: TextIO, *, indent: int | None = None) -> str:
    """Return JSON that a stream can hold: characters that it has not, or that nobody sees, are escaped."""
    is_unicode = (stream.encoding or "").lower().startswith("utf")
    return for_json(json.dumps(value, ensure_ascii=not is_unicode, indent=indent))


def _bad(word: str) -> str:
    return styled(word, color="red", bold=True)


def shorten(text: str, width: int = 240) -> str:
    """Return a text on one line, cut where it is longer than that."""
    return shortened(" ".join(text.split()), width)


def _said(spec: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in spec.items() if value not in (None, False)
    )
