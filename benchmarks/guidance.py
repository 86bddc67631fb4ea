"""Does a frozen model get better by guidance, against everything simpler, and what does that cost?

    python benchmarks/guidance.py [--seeds 5] [--episodes 100] [--workers 2] [--only learns,control] [--agent responder]

The reference model, frozen, plays incidents; each seed is a deployment of its own, whose rules the agent can
only learn from its episodes. Every baseline has the same model, tasks and seeds:

- none: nothing is remembered, and nothing is written down.
- transcripts-5: the last five episodes as they went. episodes: the five most alike, by a search over all.
- notes-3: after each episode without the full score a note, the last three of the kind of task are shown
  (Reflexion, arXiv 2303.11366). The reference model was trained to write lessons and nothing else, so its note
  is all the lessons of that episode.
- ours: the five lessons most alike, by a search, without evidence of what they are worth.
- guidance: the lessons that earn their place.
- oracle: what there is to know for the task at hand, as true lessons: the ceiling of any guidance.

An episode is *solved* if the alert was cleared without a wasted step, that is with the score 1.0; eight steps
clear nearly every alert somehow, so clearing alone tells nothing. Tokens are of all roles together.

Parts: `learns` (above, in the family remedy), `supervised` (a lesson is drawn only from episodes that promise
something new), `planted` (ten wrong lessons are told before the first episode), `flipped` (a fifth of the
outcomes is told as the opposite), `changing` (the rules change at a hidden moment about half way), `control`
(rules drawn anew in each episode: nothing can be learned), `ablations` (one part of the method left out).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from parts.results import CACHE, FOLDER, machine, save, table
from parts.runs import finished, over_seeds

from agentcl.bench.folder import RunFolder
from agentcl.bench.metrics.curves import adaptive_efficiency, break_even_cost, break_even_score
from agentcl.bench.report.writing import write_report
from agentcl.bench.rows import ResultRow
from agentcl.envs.domains.incidents.domain import IncidentDomain, draw_incident
from agentcl.guidance.rules import GuidanceRules
from agentcl.lessons import Lesson
from agentcl.text.svg import Axis, Series, chart

BASELINES: Final = (
    "none",
    "transcripts-5",
    "episodes",
    "notes-3",
    "ours",
    "guidance",
    "oracle",
)
LABELS: Final = {
    "none": "nothing remembered",
    "transcripts-5": "last five transcripts",
    "episodes": "search over episodes",
    "notes-3": "Reflexion's notes",
    "ours": "lessons by search",
    "guidance": "guidance",
    "oracle": "told the true rules",
}
PICTURE: Final = Path(__file__).parent.parent / "docs" / "learning-by-guidance.svg"
WRONG: Final = 10  # planted lessons for each deployment
USES: Final = 10  # within which a wrong one should be out of use
SOON: Final = 20  # episodes after a change within which an agent should have recovered
WINDOW: Final = 10  # episodes that a point of a curve is the mean of


def main() -> None:
    """Measure and save; what was measured already is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--agent", choices=("model", "responder"), default="model")
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--baselines", help="instead of those of each part")
    asked = parser.parse_args()
    name = "guidance" if asked.agent == "model" else f"guidance_{asked.agent}"
    path = FOLDER / f"{name}.json"
    result: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"parts": {}}
    result["machine"] = machine("torch", "transformers")
    for part in (asked.only or ",".join(PARTS)).split(","):
        folder = _run(part, asked)
        none = folder if "none" in folder.settings.memory.baselines else _run("learns", asked)
        result["parts"][part] = found = _measured(part, folder, list(none.rows("none")))
        _show(part, found)
        write_report(folder)
    if "learns" in result["parts"] and asked.agent == "model":
        draw(result["parts"]["learns"])
    save(name, result)


def _run(part: str, asked: argparse.Namespace) -> RunFolder:
    about = PARTS[part]
    tables: dict[str, Any] = {
        "seeds": list(range(asked.seeds)),
        "workers": asked.workers,
        "tasks": {"domain": "incidents", "families": ["remedy"], "episodes": asked.episodes},
        "agent": {"name": asked.agent},
        "memory": {"baselines": list(about["baselines"]), "encoder": "hashing"},
    }
    tables["tasks"].update(about.get("tasks", {}))
    if asked.baselines:
        tables["memory"]["baselines"] = asked.baselines.split(",")
    options: dict[str, Any] = {"told": str(plant(asked.seeds))} if part == "planted" else {}
    options |= about.get("options", {})
    if options:
        tables["memory"]["options"] = dict.fromkeys(tables["memory"]["baselines"], options)
    return finished(f"guidance-{asked.agent}-{part}", tables)


def _measured(part: str, folder: RunFolder, none: Sequence[ResultRow]) -> dict[str, Any]:
    """Return what a part found; `none` played the same tasks, in the same run or in that of `learns`."""
    rows = {baseline: list(folder.rows(baseline)) for baseline in folder.settings.memory.baselines}
    found: dict[str, Any] = {
        "model": folder.about["model"],
        "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
        "seeds": len(folder.settings.seeds),
        "episodes": max(row.number for row in none) + 1,
        "baselines": {baseline: _baseline(its, none) for baseline, its in rows.items()},
        "curves": {baseline: curve(its) for baseline, its in rows.items()},
    }
    if part == "learns":
        found["bars"] = _bars(found["baselines"])
    if part == "changing":
        found["changes"] = {baseline: _change(its) for baseline, its in rows.items()}
    if part == "planted":
        found["planted"] = {baseline: _planted(its) for baseline, its in rows.items()}
    return found


def is_solved(row: ResultRow) -> bool:
    """Return whether the alert was cleared without a wasted step, whatever was told of it."""
    return row.raw == 1


def _baseline(rows: Sequence[ResultRow], none: Sequence[ResultRow]) -> dict[str, Any]:
    episodes = max(row.number for row in rows) + 1
    solved = sum(map(is_solved, rows))
    tokens = sum(row.tokens for row in rows)
    fifths = [[row for row in rows if row.number * 5 // episodes == fifth] for fifth in range(5)]
    found: dict[str, Any] = {
        "score": statistics.fmean(map(_true, rows)),
        "solved": solved / len(rows),
        "solved by fifth": [statistics.fmean(map(is_solved, fifth)) for fifth in fifths],
        "score by fifth": [statistics.fmean(map(_true, fifth)) for fifth in fifths],
        "steps": statistics.fmean(len(row.steps) for row in rows),
        "tokens an episode": tokens / len(rows),
        "tokens by role": _by_role(rows),
        "tokens for each solved": tokens / solved if solved else None,
        "failed": sum(row.end == "failed" for row in rows),
        "leaks": sum(bool(row.leaks) for row in rows),
    }
    if rows[0].baseline != "none":
        found |= _against(rows, none)
    return found


def _by_role(rows: Sequence[ResultRow]) -> dict[str, float]:
    totals: dict[str, int] = {}
    for row in rows:
        for role, spent in row.usage.items():
            totals[role] = totals.get(role, 0) + spent.tokens
    return {role: total / len(rows) for role, total in sorted(totals.items())}


def _against(rows: Sequence[ResultRow], none: Sequence[ResultRow]) -> dict[str, Any]:
    """Return what a baseline gained over none: over seeds, and when it had paid for itself."""
    theirs = {(row.seed, row.number): row for row in none}
    pairs = [(row, theirs[row.seed, row.number]) for row in rows if row.end != "failed"]
    pairs = [(ours, other) for ours, other in pairs if other.end != "failed"]
    late = [pair for pair in pairs if pair[0].number * 5 // (rows[-1].number + 1) == 4]
    scores = [[_true(row) for row in side] for side in zip(*pairs, strict=True)]
    tokens = [float(row.tokens) for row, _ in pairs]
    by_number = [
        [pair for pair in pairs if pair[0].number == n] for n in range(rows[-1].number + 1)
    ]
    steps = [step for step in by_number if step]

    def means(value: Callable[[ResultRow], float], side: int) -> list[float]:
        return [statistics.fmean(value(pair[side]) for pair in step) for step in steps]

    efficiency = adaptive_efficiency(*scores, memory=tokens)
    in_score = break_even_score(means(_true, 0), means(_true, 1))
    in_tokens = break_even_cost(
        means(lambda row: row.tokens - _learning(row), 0),
        means(lambda row: row.tokens, 1),
        memory=means(_learning, 0),
    )
    return {
        "gain in solved": _interval(pairs, is_solved),
        "gain in score": _interval(pairs, _true),
        "gain in solved, last fifth": _interval(late, is_solved),
        # Of the score over that of none, for each 1,000 tokens of all roles.
        "adaptive efficiency": None if efficiency is None else 1000 * efficiency,
        "ahead in score from episode": in_score.episode if in_score else None,
        "ahead in tokens from episode": in_tokens.episode if in_tokens else None,
    }


def _true(row: ResultRow) -> float:
    return float(row.raw or 0.0)


def _learning(row: ResultRow) -> float:
    return float(sum(used.tokens for role, used in row.usage.items() if role != "act"))


def _interval(
    pairs: Sequence[tuple[ResultRow, ResultRow]], value: Callable[[ResultRow], float]
) -> list[float] | None:
    """Return a paired mean difference with its 95 % interval over seeds."""
    return over_seeds(
        [float(value(ours)) for ours, _ in pairs],
        [float(value(theirs)) for _, theirs in pairs],
        [ours.seed for ours, _ in pairs],
    )


def _bars(baselines: Mapping[str, Any]) -> dict[str, Any]:
    """Return how guidance does against none and the oracle, late and in tokens."""
    late = {baseline: row["solved by fifth"][-1] for baseline, row in baselines.items()}
    cost = {baseline: row["tokens for each solved"] for baseline, row in baselines.items()}
    ours = "guidance"
    return {
        "last fifth over none": _ratio(late[ours], late["none"]),
        "last fifth of the oracle's": _ratio(late[ours], late.get("oracle")),
        "tokens for each solved, of none's": _ratio(cost[ours], cost["none"]),
    }


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def _change(rows: Sequence[ResultRow]) -> dict[str, Any]:
    """Return the share that was solved before a change, at once after it, and how soon it was back.

    Back means: of ten episodes in a row at least 80 % of what was solved before were solved; over all seeds
    together, since ten episodes of one seed are few.
    """
    lives: dict[int, list[ResultRow]] = {}
    for row in rows:
        lives.setdefault(row.seed, []).append(row)
    moments = {
        seed: next(n for n, row in enumerate(its) if row.phase == "rules 2")
        for seed, its in lives.items()
    }
    before = [r for seed, its in lives.items() for r in its[moments[seed] - SOON : moments[seed]]]
    level = statistics.fmean(map(is_solved, before))
    least = min(len(its) - moments[seed] for seed, its in lives.items())

    def after(begin: int, end: int) -> float:
        return statistics.fmean(
            is_solved(row)
            for seed, its in lives.items()
            for row in its[moments[seed] + begin : moments[seed] + end]
        )

    curve = [after(begin, begin + WINDOW) for begin in range(least - WINDOW + 1)]
    back = [begin for begin, share in enumerate(curve) if share >= 0.8 * level]
    return {
        "before": level,
        "first ten after": curve[0],
        "second ten after": curve[WINDOW] if len(curve) > WINDOW else None,
        "back after episodes": back[0] + WINDOW if back else None,
        "is back soon": bool(back) and back[0] + WINDOW <= SOON,
        "moments": sorted(moments.values()),
    }


def plant(seeds: int) -> Path:
    """Write ten wrong lessons for each deployment that is played, and return their file.

    Nine say to do what makes the alert worse, one for each situation; the tenth warns of a remedy.
    """
    lines = []
    for deployment in _deployments()[:seeds]:
        wrong = wrong_lessons(deployment)
        lines += [{"when": one.when, "claim": one.claim, "what": one.what} for one in wrong]
    path = CACHE / "runs" / "planted.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def wrong_lessons(deployment: int) -> list[Lesson]:
    """Return the wrong lessons for a deployment."""
    lessons = []
    for task in IncidentDomain().tasks("test", family="remedy"):
        if task.parameters["deployment"] == deployment:
            incident = draw_incident(task, 0)
            here = f"a {incident.service} {incident.sign}"
            lessons.append(Lesson(here, "do", f"{incident.harm} it"))
            if len(lessons) == WRONG - 1:
                lessons.append(Lesson(here, "avoid", f"{incident.remedy} it"))
    return lessons


def _deployments() -> list[int]:
    tasks = IncidentDomain().tasks("test", family="remedy")
    return sorted({int(task.parameters["deployment"]) for task in tasks})


def _planted(rows: Sequence[ResultRow]) -> dict[str, Any]:
    """Return how often each wrong lesson was shown where it could do harm, until the end of the run."""
    uses: list[int] = []
    late = 0
    episodes = rows[-1].number + 1
    for seed, deployment in enumerate(_deployments()):
        its = [row for row in rows if row.seed == seed]
        for lesson in wrong_lessons(deployment) if its else ():
            shown = [row for row in its if lesson.sentence() in row.shown]
            uses.append(len(shown))
            late += sum(row.number * 5 // episodes == 4 for row in shown)
    return {
        "lessons": len(uses),
        "uses of each": statistics.fmean(uses),
        "most uses": max(uses),
        "out of use within ten": statistics.fmean(count <= USES for count in uses),
        "uses in the last fifth": late,
    }


def curve(rows: Sequence[ResultRow]) -> list[float]:
    """Return the share solved in the last few episodes, over all seeds, at each episode."""
    episodes = max(row.number for row in rows) + 1
    by_number = [[is_solved(row) for row in rows if row.number == n] for n in range(episodes)]
    shares = [statistics.fmean(solved) for solved in by_number]
    return [statistics.fmean(shares[max(0, n - WINDOW + 1) : n + 1]) for n in range(len(shares))]


def draw(found: Mapping[str, Any]) -> None:
    """Draw the learning curves for the pages of results."""
    picture = chart(
        [
            Series(
                LABELS[baseline],
                list(enumerate(shares, start=1)),
                place,
                weight="strong" if baseline == "guidance" else "plain",
            )
            for place, (baseline, shares) in enumerate(found["curves"].items())
        ],
        title=f"Incidents of one deployment, a frozen model, {found['seeds']} seeds",
        across=Axis("episode", found["episodes"]),
        up=Axis(f"solved, of the last {WINDOW}"),
        size=(760, 360),
    )
    PICTURE.write_text(picture.file(), "utf-8")


def _show(part: str, found: Mapping[str, Any]) -> None:
    print(f"\n{part}: {found['model']}, {found['seeds']} seeds, {found['episodes']} episodes each"
          f"{'' if found['is_frozen'] else ', NOT FROZEN'}")  # fmt: skip
    table(
        ["baseline", "score", "solved", "by fifth", "tokens", "each solved", "against none", "leaks"],
        [
            [baseline, f"{row['score']:.3f}", f"{row['solved']:.3f}",
             " ".join(f"{share:.2f}" for share in row["solved by fifth"]),
             f"{row['tokens an episode']:,.0f}", _number(row["tokens for each solved"]),
             _shown(row.get("gain in solved")), str(row["leaks"])]
            for baseline, row in found["baselines"].items()
        ],
    )  # fmt: skip
    for name in ("bars", "changes", "planted"):
        if name in found:
            print(f"{name}: {json.dumps(found[name])}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _shown(interval: Sequence[float] | None) -> str:
    if interval is None:
        return ""
    return f"{interval[0]:+.3f} [{interval[1]:+.3f}, {interval[2]:+.3f}]"


# What is neither told nor learned is as in `learns`: no memory, and the true rules.
_LEARNING: Final = tuple(baseline for baseline in BASELINES if baseline not in ("none", "oracle"))
PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "learns": {"baselines": BASELINES},
    "supervised": {"baselines": ("guidance",), "options": {"supervised": True}},
    "planted": {"baselines": _LEARNING},
    "flipped": {"baselines": _LEARNING, "tasks": {"domain": "flipped:FlippedIncidents"}},
    "changing": {"baselines": BASELINES, "tasks": {"stream": "changing"}},
    # Nobody knows there what there is to know.
    "control": {"baselines": ("none", *_LEARNING), "tasks": {"families": ["control"]}},
    "ablations": {
        "baselines": tuple(f"guidance-no-{part.name}" for part in fields(GuidanceRules)),
    },
}


if __name__ == "__main__":
    main()
