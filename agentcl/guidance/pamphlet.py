"""Pamphlets: a scope's best lessons as one Markdown file, for people to read and for another memory to take up.

The file says everything twice: in sentences, with their evidence, and in a block of JSON, which alone is read
back. Evidence does not travel: what proved itself elsewhere is a candidate here, and its evidence is a quotation.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

from agentcl.errors import InvalidInput, TransferError
from agentcl.guidance.admission import PrivateWords, refusal
from agentcl.guidance.evidence.belief import LifeStage, lesson_of
from agentcl.guidance.overview import Standing, standings
from agentcl.guidance.state import GuidanceState
from agentcl.lessons import Lesson, read_json
from agentcl.store.checks import check_label, check_unicode
from agentcl.store.episodes import Level, Stated
from agentcl.store.records import ScopeView
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import unread
from agentcl.text.saving import named_stream, opened, save_text
from agentcl.text.visible import for_json, visible

FORMAT: Final = 1
MOST_LESSONS: Final = 1_000  # of one file
_MOST_BYTES: Final = 16_000_000  # of one file: far more than so many lessons take
_BEGINS: Final = "```json agentcl-pamphlet"
_ENDS: Final = "```"
_LEVELS: Final[tuple[Level, ...]] = get_args(Level)
_PLACES: Final[Mapping[Level, str]] = {"anywhere": "Anywhere", "family": "For this kind of task"}
_MARKS: Final = re.compile(r"([\\`*_\[\]<>#|])")


@dataclass(frozen=True, slots=True)
class PamphletEntry:
    """One lesson of a pamphlet, with the evidence that it had where it comes from."""

    lesson: Lesson
    level: Level
    application: str
    family: str
    stage: str
    evidence: str  # in words; nothing is computed from it

    @property
    def is_sure(self) -> bool:
        """Whether it had proved itself there: it "should" help, and not only "may"."""
        return self.stage == "active"


@dataclass(frozen=True, slots=True)
class Pamphlet:
    """Lessons to be handed on."""

    name: str
    made_at: str  # ISO 8601
    entries: tuple[PamphletEntry, ...]


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of a pamphlet's lessons in a memory."""

    new: int  # candidates from now on
    known: int  # that said what a lesson here says
    refused: tuple[Stated, ...] = field(default=())  # by admission, each with its reason


def compose(
    state: GuidanceState,
    view: ScopeView,
    *,
    name: str,
    at: datetime,
    application: str | None = None,
    with_candidates: bool = False,
) -> Pamphlet:
    """Return the lessons of a view that may help elsewhere: those that proved themselves, then those on trial.

    Lessons for a single instance are left out, and so are those that are expected to do no good, and those of a user
    that name somebody or something, or hold a number.

    Args:
        state: what is believed.
        view: whose lessons.
        name: of the pamphlet; the author of its lessons wherever they are imported.
        at: when it is made; aware.
        application: only lessons of this one.
        with_candidates: also lessons that were never tried.

    Raises:
        InvalidInput: if the name cannot be an author's, or no lesson is worth handing on.
    """
    if not check_label(name, "the pamphlet's name").strip() or "\n" in name:
        raise InvalidInput("a pamphlet needs a name of one line; it will be its lessons' author")
    stages: list[LifeStage] = ["active", "trial"]
    if with_candidates:
        stages.append("candidate")
    private = PrivateWords()
    good = [
        one
        for one in standings(state, view, stages=stages, application=application)
        if one.guidance.level != "instance" and one.belief.uplift > 0
        if refusal(lesson_of(one.guidance)) is None
        # A user's own lesson goes to others here, as a shared one does.
        if not (one.guidance.scope.user and private.is_in(lesson_of(one.guidance)))
    ]
    if not good:
        raise InvalidInput(
            "no lesson has proved itself or is on trial with hope to help; see `agentcl guidance list`"
            + (
                ""
                if with_candidates
                else ", or take candidates as well (--candidates, with_candidates=True)"
            )
        )
    entries = tuple(_entry(one) for one in good[:MOST_LESSONS])
    return Pamphlet(name, at.astimezone(UTC).isoformat(timespec="seconds"), entries)


def write(pamphlet: Pamphlet) -> str:
    """Return a pamphlet as Markdown; `read` gives it back."""
    held = {
        "agentcl_pamphlet": FORMAT,
        "name": pamphlet.name,
        "made_at": pamphlet.made_at,
        "lessons": [_plain(one) for one in pamphlet.entries],
    }
    block = for_json(json.dumps({**held, "digest": _digest(held)}, ensure_ascii=False, indent=1))
    return "\n".join((*_readable(pamphlet), f"```json agentcl-pamphlet\n{block}\n```", ""))


def save(pamphlet: Pamphlet, file: Path) -> None:
    """Write a pamphlet to a file. Raises TransferError if that cannot be done."""
    try:
        save_text(file, write(pamphlet))
    except OSError as error:
        raise TransferError(f"cannot write {file}: {error.strerror}") from error


def read(text: str) -> Pamphlet:
    """Return the pamphlet of a Markdown file.

    Its digest tells damage, and is no signature: who can write the file can write the digest.

    Raises:
        TransferError: if the file is no pamphlet, is damaged, or is of a later format.
    """
    blocks = list(_blocks(text))
    if len(blocks) != 1:
        raise TransferError(
            f"a pamphlet has one block that begins with ```json agentcl-pamphlet and ends with ```; "
            f"this file has {len(blocks)}. Export it anew"
        )
    try:
        held = parsed_json(blocks[0])
    except ValueError as error:
        raise TransferError(f"the pamphlet's block is no JSON: {error}. Export it anew") from error
    if not isinstance(held, dict) or held.get("agentcl_pamphlet") != FORMAT:
        raise TransferError(
            f"the pamphlet's block is not of format {FORMAT}; it was written by another agentcl. "
            "Upgrade, or export it anew"
        )
    if held.pop("digest", None) != _digest(held):
        raise TransferError(
            "the pamphlet's block does not match its digest: it was changed or cut. Export it anew"
        )
    lessons = held.get("lessons")
    if not isinstance(lessons, list) or not 0 < len(lessons) <= MOST_LESSONS:
        raise TransferError(f"a pamphlet has from 1 to {MOST_LESSONS:,} lessons")
    entries = tuple(_read_entry(number, one) for number, one in enumerate(lessons, start=1))
    name, made_at = (_word(held, what, "the pamphlet") for what in ("name", "made_at"))
    if not name.isprintable() or not name.strip():
        raise TransferError("the pamphlet has no name that can be shown on one line")
    return Pamphlet(name, made_at, entries)


def _blocks(text: str) -> Iterator[str]:
    """Yield what stands in the blocks of a Markdown file that are meant for programs."""
    held: list[str] | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        if held is None:
            held = [] if line == _BEGINS else None
        elif line.rstrip() == _ENDS:
            yield "\n".join(held)
            held = None
        else:
            held.append(line)


def load(path: str | os.PathLike[str]) -> Pamphlet:
    """Return the pamphlet in a file. Raises TransferError as `read`, and if it cannot be read."""
    try:
        with opened(path) as file:
            data = file.read(_MOST_BYTES + 1)
            if len(data) > _MOST_BYTES:
                raise TransferError(
                    f"{named_stream(path)} has more than {_MOST_BYTES:,} bytes; it is no pamphlet"
                )
            text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise TransferError(f"cannot read {named_stream(path)}: {unread(error)}") from error
    return read(text)


def _entry(standing: Standing) -> PamphletEntry:
    made, belief = standing.guidance, standing.belief
    low, high = standing.interval
    evidence = (
        f"uplift {belief.uplift:+.2f} [{low:+.2f}, {high:+.2f}], by a coin shown in "
        f"{belief.shown:g} and withheld from {belief.withheld:g} episodes; confirmed by "
        f"{belief.confirmed}, refuted by {belief.refuted}; trust {belief.trust:.2f} in world "
        f"{standing.world or '-'}"
    )
    family = standing.cluster.rpartition("/")[2]
    return PamphletEntry(
        lesson_of(made), made.level, made.application, family, belief.stage, evidence
    )


def _plain(entry: PamphletEntry) -> dict[str, Any]:
    held = asdict(entry)
    return {**held.pop("lesson"), **held}


def _digest(held: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def _read_entry(number: int, value: object) -> PamphletEntry:
    where = f"lesson {number}"
    if not isinstance(value, dict):
        raise TransferError(f"{where} of the pamphlet is no object")
    try:
        lesson = read_json(value)
        check_unicode(lesson.sentence(), where)
    except InvalidInput as error:
        raise TransferError(f"{where} of the pamphlet: {error}") from error
    level = value.get("level")
    if level not in _LEVELS:
        raise TransferError(f"{where} has the level {level!r}; it is one of {', '.join(_LEVELS)}")
    texts = [_word(value, n, where) for n in ("application", "family", "stage", "evidence")]
    return PamphletEntry(lesson, level, *texts)


def _word(held: Mapping[str, Any], name: str, where: str) -> str:
    try:
        return check_unicode(held.get(name), f"its {name}")
    except InvalidInput as error:
        raise TransferError(f"{where}: {error}. Export the pamphlet anew") from error


def _readable(pamphlet: Pamphlet) -> Iterator[str]:
    """Yield the part that is for people."""
    sure = sum(one.is_sure for one in pamphlet.entries)
    yield f"# {_escaped(pamphlet.name)}\n"
    tried = sum(one.stage == "trial" for one in pamphlet.entries)
    told = [f"{sure} proved themselves where they come from, and are said with *should*"] * bool(
        sure
    )
    told += [f"{tried} are on trial there, and are said with *may*"] * bool(tried)
    never = len(pamphlet.entries) - sure - tried
    told += [f"{never} were never tried there, and are said with *may*"] * bool(never)
    yield (
        f"{len(pamphlet.entries)} lessons, made {pamphlet.made_at}. Of them {'; '.join(told)}. "
        "`agentcl guidance import FILE` takes them up as candidates.\n"
    )
    for (application, family), entries in _grouped(pamphlet.entries):
        yield f"## {_escaped(application or 'any application')}: {_escaped(family or 'any task')}\n"
        for level, title in _PLACES.items():
            chosen = [one for one in entries if one.level == level]
            if chosen:
                yield f"### {title}\n"
            for one in chosen:
                yield f"- {_escaped(one.lesson.hedged(is_sure=one.is_sure))}"
                yield f"  - {one.stage}: {_escaped(one.evidence)}"
            if chosen:
                yield ""


def _grouped(
    entries: Sequence[PamphletEntry],
) -> Iterator[tuple[tuple[str, str], list[PamphletEntry]]]:
    """Yield entries by kind of task, those of one in the pamphlet's order: the proved ones first."""
    groups: dict[tuple[str, str], list[PamphletEntry]] = {}
    for one in entries:
        groups.setdefault((one.application, one.family), []).append(one)
    yield from sorted(groups.items())


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return _MARKS.sub(r"\\\1", visible(" ".join(text.split())))
