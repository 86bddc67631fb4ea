"""Several runs side by side: what they share, where they differ, and by how much."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.estimates import Estimate
from agentcl.bench.report.pairs import Pair, difference
from agentcl.bench.report.records import Difference
from agentcl.bench.report.scores import scored
from agentcl.bench.report.summary import read_rows, summarise
from agentcl.bench.report.tables import Section, Table, difference_table
from agentcl.bench.report.templates import fill
from agentcl.bench.report.words import count, interval, name
from agentcl.bench.rows import ResultRow
from agentcl.errors import InvalidInput

_FORMAT: Final = 1
# What makes two runs two things, by what a reader calls it.
_STREAM: Final = ("tasks.domain", "tasks.options", "tasks.file", "tasks.stream", "tasks.split", "tasks.families",
                  "tasks.where", "tasks.episodes", "tasks.test_episodes", "tasks.trials", "tasks.places",
                  "tasks.order", "questions")  # fmt: skip
_AGENT: Final = (
    "agent.name",
    "agent.learn",
    "agent.teacher",
    "agent.instructions",
    "agent.max_tokens",
    "memory.limit",
)
_ABOUT: Final = ("model", "encoder", "fingerprint before")


@dataclass(frozen=True, slots=True)
class ComparedBaseline:
    """One baseline of one run, over all its own episodes."""

    run: str
    baseline: str
    scored: int
    failed: int
    score: Estimate | None
    success: Estimate | None


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """One run against the first, in the baselines that both have."""

    run: str
    against: str
    differs: tuple[str, ...]  # in what, beside what is compared
    is_comparable: bool  # the streams are the same, and they have episodes in common
    differences: tuple[Difference, ...]  # paired, on the episodes in common


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side."""

    runs: tuple[str, ...]
    states: tuple[str, ...]
    baselines: tuple[ComparedBaseline, ...]
    pairs: tuple[ComparedPair, ...]

    def to_json(self) -> str:
        """Return the comparison as JSON; what is undefined is null."""
        found = {"format": _FORMAT, **asdict(self)}
        return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the comparison as a document."""
        columns = ("run", "baseline", "scored", "failed", "score", "success")
        rows = tuple(
            (line.run, line.baseline, count(line.scored), count(line.failed), interval(line.score),
             interval(line.success))
            for line in self.baselines
        )  # fmt: skip
        states = "; ".join(
            f"{run}: {state}" for run, state in zip(self.runs, self.states, strict=True)
        )
        said = (f"Each run over its own episodes. {name(states)}.",)
        first = Section("runs", "Runs", said, (Table(columns, rows),))
        sections = [first, *map(_section, self.pairs)]
        title = f"Comparison of {len(self.runs)} runs"
        return fill("report.md.j2", title=title, sections=sections, pictures=[])


def compare_runs(folders: Sequence[RunFolder]) -> Comparison:
    """Return runs side by side: each against the first, in every baseline that both have.

    Differences are paired where baseline, seed, task and episode seed are the same (the same episode several
    times in a stream: each time by itself).

    Raises:
        InvalidInput: if there are fewer than two runs, one is given twice, or a row is damaged.
    """
    paths = [folder.path.resolve() for folder in folders]
    if len(folders) < 2 or len(set(paths)) < len(paths):
        raise InvalidInput("a comparison needs the folders of at least two runs, each once")
    names = _names(folders)
    summaries = [summarise(folder) for folder in folders]
    rows = [read_rows(folder) for folder in folders]
    return Comparison(
        runs=tuple(names),
        states=tuple(summary.state for summary in summaries),
        baselines=tuple(
            ComparedBaseline(run, line.baseline, line.scored, line.failed, line.score, line.success)
            for run, summary in zip(names, summaries, strict=True)
            for line in summary.baselines
        ),
        pairs=tuple(
            _pair(names[place], names[0], folders[place], folders[0], rows[place], rows[0])
            for place in range(1, len(folders))
        ),
    )


def _pair(
    run: str,
    against: str,
    folder: RunFolder,
    first: RunFolder,
    ours: Mapping[str, Sequence[ResultRow]],
    theirs: Mapping[str, Sequence[ResultRow]],
) -> ComparedPair:
    are_questions = bool(folder.settings.questions.source)
    found = []
    for baseline in ours:
        pairs = _common(ours[baseline], theirs.get(baseline, ()))
        if pairs:
            found.append(difference(baseline, against, pairs, are_questions=are_questions))
    streams = _differing(folder, first, _STREAM)
    differs = [*streams, *_differing(folder, first, _AGENT), *_differing_about(folder, first)]
    return ComparedPair(run, against, tuple(differs), bool(found) and not streams, tuple(found))


def _common(ours: Sequence[ResultRow], theirs: Sequence[ResultRow]) -> list[Pair]:
    """Return the episodes that both have a score for; the n-th time of one with the n-th of the other."""
    by_episode = dict(zip(_keys(theirs), theirs, strict=True))
    return [
        (row, other)
        for key, row in zip(_keys(ours), ours, strict=True)
        if (other := by_episode.get(key)) is not None and scored([row]) and scored([other])
    ]


def _keys(rows: Sequence[ResultRow]) -> list[tuple[int, str, int, int]]:
    times: dict[tuple[int, str, int], int] = {}
    keys = []
    for row in rows:
        episode = (row.seed, row.task, row.episode_seed)
        times[episode] = times.get(episode, 0) + 1
        keys.append((*episode, times[episode]))
    return keys


def _differing(folder: RunFolder, first: RunFolder, paths: Sequence[str]) -> list[str]:
    ours, theirs = asdict(folder.settings), asdict(first.settings)
    return [
        f"{path}: {_shown(_at(ours, path))}, and {_shown(_at(theirs, path))} there"
        for path in paths
        if _at(ours, path) != _at(theirs, path)
    ]


def _differing_about(folder: RunFolder, first: RunFolder) -> list[str]:
    def told(about: Mapping[str, Any]) -> dict[str, Any]:
        versions = about.get("versions", {})
        return {**{key: about.get(key) for key in _ABOUT}, "agentcl": versions.get("agentcl")}

    ours, theirs = told(folder.about), told(first.about)
    return [
        f"{key.removesuffix(' before')}: {_shown(value)}, and {_shown(theirs[key])} there"
        for key, value in ours.items()
        if value != theirs[key]
    ]


def _at(settings: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  # a setting
    found: Any = settings
    for part in path.split("."):
        found = found[part]
    return found


def _shown(value: Any) -> str:  # noqa: ANN401  # a setting
    return name(json.dumps(value, ensure_ascii=False)) if value not in (None, "") else "none"


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """Return a name for each run; its path where several have the same."""
    names = [folder.settings.name for folder in folders]
    return [
        run if names.count(run) == 1 else f"{run} ({folder.path})"
        for run, folder in zip(names, folders, strict=True)
    ]


def _section(pair: ComparedPair) -> Section:
    said = []
    if not pair.differences:
        said.append("Not comparable: there is no baseline with an episode that both runs have.")
    elif not pair.is_comparable:
        said.append(
            "Not comparable as wholes: the streams are not the same. The differences are over the episodes "
            "that both have, before which other things may have been learned."
        )
    if pair.differs:
        said.append(f"They differ in {'; '.join(pair.differs)}.")
        if pair.is_comparable:
            said.append("A difference in score may come from any of these.")
    else:
        said.append("Nothing that is recorded differs but what was drawn and the time.")
    tables = (difference_table(pair.differences, "units"),) if pair.differences else ()
    return Section(f"pair-{pair.run}", f"{pair.run} less {pair.against}", tuple(said), tables)
