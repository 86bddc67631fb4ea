"""What holds now, what held then, and what was never said: what a memory hands over of conversations over months.

    python benchmarks/holding.py                         people made by seed
    python benchmarks/holding.py --held-out              the same, in phrasings that nothing was fitted to
    python benchmarks/holding.py --data FILE             the natural dialogues, or others of that form
    python benchmarks/holding.py --model NAME --url URL      with statements read by a model, and answers by it
    python benchmarks/holding.py --keep                 what a model read is not asked again: its saved rows stay

Every arm is told the same turns and asked the same questions with one encoder and one budget. Nobody reads unless a
model is named: what counts is the text that goes into the prompt. `holding_scores.py` says what is right, wrong and
marked as past in it, `holding_statements.py` how statements compare with the gold ones. Each person is a user of one
memory; time stands a minute after that person's last turn. Intervals are 95 % by bootstrap over people.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from parts.holding_scores import Score, is_right_answer, scored
from parts.holding_statements import Reading, compared
from parts.kept_vectors import KeptVectors
from parts.recalls import SEED
from parts.results import CACHE, FOLDER, machine, save, table

from agentcl import ANY, Draft, Memory
from agentcl.bench.questions import Reader
from agentcl.envs.questions.histories import History, HoldingQuestion, load_histories
from agentcl.envs.questions.holding import holding_histories
from agentcl.models import CachedModel, ChatModel, OpenAIChat, open_model
from agentcl.retrieval.encoders import Encoder
from agentcl.statements import Digester
from agentcl.statements.dates.periods import period
from agentcl.text import estimate_tokens

HITS: Final = 8
BUDGET: Final = 800
MEASURES: Final = ("right", "stale", "lure", "wrong")


class Clock:
    """A time that is set, in microseconds since 1970."""

    def __init__(self) -> None:
        self.now = 0

    def set(self, history: History) -> None:
        """Let it be a minute after the last turn."""
        last = datetime.fromisoformat(history.turns[-1].time) + timedelta(minutes=1)
        self.now = int(last.timestamp() * 1_000_000)

    def __call__(self) -> int:
        """Return the time."""
        return self.now


class Arm(ABC):
    """One way to remember. A memory of its own, of which each person is a user."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.clock = Clock()
        self.memory = Memory(folder, encoder=encoder, clock=self.clock, durability="normal")

    @abstractmethod
    def read(self, history: History) -> None:
        """Remember what was said."""

    def prompt(self, history: History, question: HoldingQuestion) -> str:
        """Return the text for the prompt."""
        found = self.memory.search(question.q, limit=HITS, user=history.id, session=ANY)
        return found.prompt(budget_tokens=BUDGET)

    def reading(self, history: History) -> Reading | None:
        """Return how the statements compare with the gold ones; None without statements."""
        return None


class Added(Arm):
    """Each turn is a document."""

    def read(self, history: History) -> None:
        """Add each turn as a text with its role."""
        drafts = [Draft(text=f"{turn.role}: {turn.content}") for turn in history.turns]
        self.memory.add_many(drafts, user=history.id)


class Everything(Added):
    """The whole history stands in the prompt, whatever it costs."""

    def prompt(self, history: History, question: HoldingQuestion) -> str:
        """Return all turns with their times."""
        return "\n".join(f"{turn.time} {turn.role}: {turn.content}" for turn in history.turns)


class Remembered(Arm):
    """Turns are remembered as a conversation."""

    def read(self, history: History) -> None:
        """Remember each session."""
        for session in history.sessions:
            messages = [
                {"role": t.role, "content": t.content, "time": t.time, "id": t.id}
                for t in session.turns
            ]
            self.memory.remember(messages, user=history.id, session=session.id)


class InContext(Remembered):
    """What `Memory.context` puts together of turns, and of statements if a digester read some."""

    digester: Digester | None = None

    def read(self, history: History) -> None:
        """Remember each session, and let the digester read it."""
        super().read(history)
        if self.digester is not None:
            self.memory.statements.digest(self.digester, user=history.id)

    def prompt(self, history: History, question: HoldingQuestion) -> str:
        """Return the context of a session that begins with the question."""
        context = self.memory.context(
            [{"role": "user", "content": question.q}], budget_tokens=BUDGET, user=history.id,
            session=f"asked {question.q}",
        )  # fmt: skip
        return str(context.text)

    def reading(self, history: History) -> Reading | None:
        """Compare all statements, those that hold no longer too."""
        found = self.memory.statements.list(user=history.id, valid_at=ANY)
        if not found and self.digester is None:
            return None
        message_of = {
            turn.id: turn.message
            for session in history.sessions
            for turn in self.memory.conversations.turns(user=history.id, session=session.id)
        }
        return compared(history, found, message_of)


class Gold(InContext):
    """The gold statements, told by hand: what a perfect digester would be worth."""

    def read(self, history: History) -> None:
        """Remember each session, and state what holds, what ended, and since when."""
        super().read(history)
        ids = {
            turn.message: turn.id
            for session in history.sessions
            for turn in self.memory.conversations.turns(user=history.id, session=session.id)
        }
        times = {turn.id: datetime.fromisoformat(turn.time) for turn in history.turns}
        begun = {(one.subject, one.attribute, one.holds_from) for one in history.statements}
        for gold in history.statements:
            zone = next(iter(times.values())).tzinfo
            until = period(gold.holds_to or "9999-12-29", zone).start
            # A turn that ends a value does not say once more that it holds.
            saying = [turn for turn in gold.turns if times[turn] < until] or [*gold.turns[:1]]
            since, said = gold.holds_from or "", max(times[turn] for turn in saying)
            if "T" in since:  # a moment of a turn
                said, since = datetime.fromisoformat(since), ""
            elif not since:
                said = min(times[turn] for turn in saying)
            tell: dict[str, Any] = {
                "user": history.id, "several": gold.kind == "set",
                "sort": "instruction" if gold.kind == "instruction" else "fact",
            }  # fmt: skip
            key = (gold.subject, gold.attribute, gold.value)
            self.memory.statements.add(
                *key, since=since, said_at=said, sources=[ids[turn] for turn in saying], **tell
            )
            is_replaced = (
                not tell["several"] and (gold.subject, gold.attribute, gold.holds_to) in begun
            )
            if gold.holds_to and not is_replaced:
                since = "" if "T" in gold.holds_to else gold.holds_to
                last = max(gold.turns, key=times.__getitem__)
                self.memory.statements.add(
                    *key, ended=True, since=since, said_at=times[last], sources=[ids[last]], **tell
                )


@dataclass(slots=True)
class Told:
    """What one arm handed over of one person."""

    scores: list[Score] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    answers: list[tuple[str, bool]] = field(default_factory=list)  # kind, and whether right
    reading: Reading | None = None


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--data", type=Path, help="a file of the holding suite")
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--arms", nargs="+", help="only these")
    parser.add_argument("--model", help="reads statements, and answers: as `open_model` takes it")
    parser.add_argument("--url", help="an endpoint that serves the model")
    parser.add_argument(
        "--ask", choices=("sentences", "json"), default="sentences", help="for what"
    )
    parser.add_argument("--seen", nargs="+", default=[], help="people it was built on: told apart")
    parser.add_argument("--no-answers", action="store_true", help="the model reads statements only")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="the saved rows of a model's arm stay, if no model is named",
    )
    parser.add_argument("--show", choices=MEASURES, help="print the prompts that fail")
    arguments = parser.parse_args()
    if arguments.data:
        histories = load_histories(arguments.data)
        name = "natural"
    else:
        histories = holding_histories(
            arguments.people, seed=arguments.seed, held_out=arguments.held_out
        )
        name = "held-out" if arguments.held_out else "made"
    histories = tuple(sorted(histories, key=lambda one: one.turns[-1].time))
    model = _model(arguments.model, arguments.url)
    reader = None if model is None or arguments.no_answers else Reader(model)
    chosen = {
        label: arm
        for label, arm in _arms(model, arguments.ask).items()
        if not arguments.arms or label in arguments.arms
    }
    told: dict[str, list[Told]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        encoder = KeptVectors(arguments.encoder)
        for number, (label, make) in enumerate(chosen.items()):
            print(label, file=sys.stderr)
            told[label] = measure(
                make(Path(scratch) / str(number), encoder), histories, reader, arguments.show
            )
    result = {
        "machine": machine("sentence-transformers"), "seed": arguments.seed, "encoder": arguments.encoder,
        "hits": HITS, "budget": BUDGET, "people": len(histories), "turns": sum(len(h.turns) for h in histories),
        "questions": sum(len(h.questions) for h in histories), "bootstrap": SEED,
        "model": None if model is None else model.name,
        "arms": {label: summary(of_arm) for label, of_arm in told.items()},
        "parts": _parts(told, [one.id in arguments.seen for one in histories]) if arguments.seen else {},
    }  # fmt: skip
    if arguments.keep and model is None:
        result = with_saved(f"holding-{name}", result)
    report(result)
    if not arguments.arms:
        save(f"holding-{name}", result)


def with_saved(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with the saved rows of arms that it has not; `kept` names them, for they are of earlier code.

    Raises:
        SystemExit: if what was saved is of other questions.
    """
    saved = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    same = ("seed", "encoder", "hits", "budget", "people", "turns", "questions", "bootstrap")
    if any(saved[key] != result[key] for key in same):
        raise SystemExit(
            f"{name}.json is of other questions or settings: nothing of it can be kept"
        )
    kept = [label for label in saved["arms"] if label not in result["arms"]]
    arms = {**result["arms"], **{label: saved["arms"][label] for label in kept}}
    parts = {
        part: {**rows, **{label: saved["parts"][part][label] for label in kept}}
        for part, rows in result["parts"].items()
    }
    return {**result, "model": saved["model"], "arms": arms, "parts": parts, "kept": kept}


def _model(name: str | None, url: str | None) -> ChatModel | None:
    if name is None:
        return None
    opened = OpenAIChat(name, base_url=url, timeout_s=1_200) if url else open_model(name)
    return CachedModel(opened, CACHE / "holding-answers.db")


def _parts(told: Mapping[str, Sequence[Told]], seen: Sequence[bool]) -> dict[str, Any]:
    """Return the arms' summaries of the people that it was built on, and of the others."""
    return {
        part: {
            label: summary([one for one, own in zip(of_arm, seen, strict=True) if own is is_seen])
            for label, of_arm in told.items()
        }
        for part, is_seen in (("seen", True), ("others", False))
    }


def _arms(
    model: ChatModel | None, ask: str = "sentences"
) -> dict[str, Callable[[Path, Encoder], Arm]]:
    """Return the arms that this version of agentcl has."""
    arms: dict[str, Callable[[Path, Encoder], Arm]] = {
        "raw turns, add": Added,
        "full context": Everything,
    }
    if hasattr(Memory, "remember"):
        arms["raw turns, remember"] = Remembered
    if hasattr(Memory, "context"):
        arms["context, turns"] = InContext
        arms["context, gold statements"] = Gold
    if hasattr(Memory, "context") and find_spec("agentcl.statements.digesters.rules"):
        from agentcl.statements import LearnedDigester, RuleDigester

        arms["context, rules"] = type("ByRules", (InContext,), {"digester": RuleDigester()})
        arms["context, learned"] = type("Learned", (InContext,), {"digester": LearnedDigester()})
        if model is not None:
            from agentcl.statements import ModelDigester, SentenceDigester

            short = model.name.partition("@")[0].rpartition(":")[2]  # without where it is served
            by = SentenceDigester(model) if ask == "sentences" else ModelDigester(model)
            arms[f"context, {ask} of {short}"] = type("ByModel", (InContext,), {"digester": by})
    return arms


def measure(
    arm: Arm, histories: Sequence[History], reader: Reader | None, show: str | None
) -> list[Told]:
    """Let an arm read all histories, in order of time, and ask it; return what it handed over by person."""
    told = []
    with arm.memory:
        for history in histories:
            arm.clock.set(history)
            arm.read(history)
            one = Told()
            for question in history.questions:
                prompt = arm.prompt(history, question)
                score = scored(question, prompt)
                one.scores.append(score)
                one.tokens.append(estimate_tokens(prompt))
                if show and getattr(score, show) is (show != "right"):
                    print(f"--- {question}\n{prompt}\n")
                if reader is not None:
                    answer = reader.answer(question.q, [prompt])[0]
                    one.answers.append((question.kind, is_right_answer(question, answer)))
            one.reading = arm.reading(history)
            told.append(one)
    return told


def summary(told: Sequence[Told]) -> dict[str, Any]:
    """Return an arm's measures: each a mean in percent with its interval over people, and its n."""
    kinds = list(dict.fromkeys(score.kind for one in told for score in one.scores))
    found: dict[str, Any] = {
        "tokens": float(np.mean([tokens for one in told for tokens in one.tokens])),
        "kinds": {kind: _measures(told, kind) for kind in kinds},
        "all": _measures(told, None),
    }
    readings = [one.reading for one in told if one.reading is not None]
    if readings:
        found["statements"] = _statements(readings)
    return found


def _measures(told: Sequence[Told], kind: str | None) -> dict[str, Any]:
    chosen = [[s for s in one.scores if kind in (None, s.kind)] for one in told]
    measures = {
        name: share([[getattr(s, name) for s in scores] for scores in chosen]) for name in MEASURES
    }
    # Of all questions, those too that have no wrong value.
    measures["wrong of all"] = share([[bool(s.wrong) for s in scores] for scores in chosen])
    if any(one.answers for one in told):
        answers = [[is_right for k, is_right in one.answers if kind in (None, k)] for one in told]
        measures["answers"] = share(answers)
    return measures


def share(by_person: Sequence[Sequence[bool | None]]) -> dict[str, Any]:
    """Return the share in percent, its 95 % interval by bootstrap over people, and of how many."""
    pairs = np.array(
        [[sum(map(bool, told)), len(told)] for one in by_person for told in [[x for x in one if x is not None]]],
        dtype=float,
    )  # fmt: skip
    right, count = pairs.sum(axis=0)
    if not count:
        return {"n": 0}
    drawn = np.random.default_rng(SEED).integers(len(pairs), size=(2_000, len(pairs)))
    sums = pairs[drawn].sum(axis=1)
    low, high = np.percentile(100 * sums[:, 0] / np.maximum(1, sums[:, 1]), [2.5, 97.5])
    return {"n": int(count), "share": 100 * right / count, "low": float(low), "high": float(high)}


def _statements(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return recall, precision and F1 over all people, the share of invented ones, and of dates resolved."""
    total = {name: sum(getattr(one, name) for one in readings) for name in asdict(readings[0])}
    recall, precision = total["matched"] / total["gold"], total["matched"] / max(1, total["found"])
    return {
        **total,
        "recall": 100 * recall,
        "precision": 100 * precision,
        "f1": 200 * recall * precision / max(1e-9, recall + precision),
        "invented share": 100 * total["invented"] / max(1, total["found"]),
        "dates resolved": 100 * total["resolved"] / max(1, total["dated"]),
    }


def report(result: Mapping[str, Any]) -> None:
    """Print the arms, all kinds together and apart, and the statements."""
    header = ["arm", "tokens", *MEASURES, "wrong of all", "answers"]
    rows: dict[str, list[list[str]]] = defaultdict(list)
    for label, found in result["arms"].items():
        for kind, measures in {"all": found["all"], **found["kinds"]}.items():
            cells = [_cell(measures[name]) if name in measures else "" for name in header[2:]]
            rows[kind].append([label, f"{found['tokens']:.0f}", *cells])
    for kind, lines in rows.items():
        print(f"\n{kind}")
        table(header, lines)
    print()
    for label, found in result["arms"].items():
        if held := found.get("statements"):
            print(f"{label}: " + ", ".join(f"{name} {value:.1f}" for name, value in held.items()))


def _cell(found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return ""
    return f"{found['share']:.1f} [{found['low']:.0f}, {found['high']:.0f}] ({found['n']})"


if __name__ == "__main__":
    main()
