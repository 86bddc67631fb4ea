"""The hand-written situations that matching is trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "situations"


@dataclass(frozen=True, slots=True)
class Told:
    """One lesson: its condition, and other conditions that tell what is the same from what is near."""

    id: str
    when: str
    alike: tuple[str, ...]  # the same condition in other words
    near: str  # another condition that looks alike; empty if the set has none


@dataclass(frozen=True, slots=True)
class Text:
    """One text, and which lessons speak of it."""

    text: str
    lesson: str  # that it was written for
    right: frozenset[str]  # ids
    unknown: frozenset[str] = frozenset()  # of which nobody said whether they speak of it


@dataclass(frozen=True, slots=True)
class Situations:
    """Lessons and texts; ids name the domain too."""

    lessons: tuple[Told, ...]
    texts: tuple[Text, ...]


def load(files: Iterable[Path]) -> Situations:
    """Return the situations of some files, one a domain."""
    lessons: list[Told] = []
    texts: list[Text] = []
    for file in files:
        for one in json.loads(file.read_text("utf-8")):
            id, domain = f"{file.stem}:{one['id']}", file.stem
            alike = [one[name]["when"] for name in ("same", "opposite") if name in one]
            near = one["near"]["when"] if "near" in one else ""
            lessons.append(Told(id, one["when"], tuple(alike), near))
            for at, text in enumerate(one["applies"]):
                texts.append(Text(text, id, frozenset({id, *_ids(domain, one["also"], at)})))
            for at, text in enumerate(one["not"]):
                texts.append(Text(text, id, frozenset(_ids(domain, one["not_also"], at))))
    return Situations(tuple(lessons), tuple(texts))


def _ids(domain: str, by_place: dict[str, list[str]], at: int) -> Iterator[str]:
    return (f"{domain}:{id}" for id in by_place.get(str(at), []))


def domains() -> list[Path]:
    """Return the files of all domains, by name."""
    return sorted(FOLDER.glob("*.json"))
