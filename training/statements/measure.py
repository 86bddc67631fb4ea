"""Measure what reads statements on labelled conversations: rules, the trained model, and both.

    python -m training.statements.measure FILE ... [--weights FILE]

A statement is right if one of its turn's labels is about the same subject and has half of the same words. The labels of
what has ended are left out, and so is what was read as ended.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agentcl.statements import LearnedDigester, RuleDigester
from agentcl.statements.digesters.tagging import WEIGHTS, StatementTagger, Tagged
from agentcl.statements.reading import Assertion, Digested
from agentcl.statements.slots import USER, subject_key
from agentcl.store.conversations import Turn
from agentcl.text.terms import terms
from training.statements import values
from training.statements.talks import Session, Talk, labelled, load_talks

SURE: Final = (0.4, 0.5, 0.6)
Reader = Callable[[Sequence[Turn]], Digested]


def turns_of(session: Session) -> list[Turn]:
    """Return the turns of a session as a memory has them, said at noon."""
    at = datetime.fromisoformat(session.day).replace(hour=12, tzinfo=UTC).isoformat()
    return [
        Turn(id=str(place), role=turn.role, text=turn.text, ordinal=place, said_at=at)
        for place, turn in enumerate(session.turns)
    ]


def compared(session: Session, said: Sequence[Assertion]) -> Counter[str]:
    """Return how many statements there are by the labels, how many were read, and how many are right."""
    wanted = [
        (place, label)
        for place, turn in enumerate(session.turns)
        for label in turn.says
        if not label.ended
    ]
    given = [one for one in said if one.polarity == "holds" and one.value]
    left = list(range(len(given)))
    right = 0
    for place, label in wanted:
        fitting = [at for at in left if _is_same(label, given[at], place)]
        if fitting:
            left.remove(fitting[0])
            right += 1
    return Counter(wanted=len(wanted), given=len(given), right=right)


def _is_same(label: Tagged, one: Assertion, place: int) -> bool:
    if place not in one.turns or not _is_of(label.who, one.subject):
        return False
    wanted, words = terms(label.value), set(terms(one.value))
    if not set(wanted) - words or words <= set(wanted):
        return True
    told = set(terms(f"{one.text} {one.attribute}"))
    shared = 2 * len(set(wanted) & words) / (len(set(wanted)) + len(words))
    return max(shared, len(set(wanted) & told) / len(wanted)) >= 0.5


def _is_of(who: str, subject: str) -> bool:
    one, other = subject_key(who), subject_key(subject)
    return one == other or (
        USER not in (one, other) and bool(set(one.split()) & set(other.split()))
    )


def total(talks: Sequence[Talk], read: Reader) -> Counter[str]:
    """Return the counts of all conversations."""
    counts: Counter[str] = Counter()
    for session in _sessions(talks):
        counts.update(compared(session, read(turns_of(session)).said))
    return counts


def _sessions(talks: Sequence[Talk]) -> Iterator[Session]:
    for talk in talks:
        yield from talk.sessions


def report(counts: Counter[str]) -> str:
    """Return recall, precision and F1 in percent."""
    recall = 100 * counts["right"] / max(1, counts["wanted"])
    precision = 100 * counts["right"] / max(1, counts["given"])
    f1 = 200 * counts["right"] / max(1, counts["wanted"] + counts["given"])
    return f"recall {recall:.1f} of {counts['wanted']}, precision {precision:.1f} of {counts['given']}, F1 {f1:.1f}"


def show(talks: Sequence[Talk], tagger: StatementTagger) -> None:
    """Print how well rules read conversations, and rules with the model, by how sure it has to be."""
    pieces = labelled(talks)
    rules = RuleDigester()
    print(f"rules: {report(total(talks, lambda turns: rules.digest(turns, ())))}", flush=True)
    for sure in SURE:
        told = values.report(values.measured(tagger, pieces, sure))
        print(f"values, sure {sure}: {told}", flush=True)
        both = LearnedDigester(tagger, sure=sure)
        counts = total(talks, lambda turns, by=both: by.digest(turns, ()))  # type: ignore[misc]
        print(f"with the model, sure {sure}: {report(counts)}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    asked = parser.parse_args()
    show(load_talks(asked.files), StatementTagger(asked.weights))


if __name__ == "__main__":
    main()
