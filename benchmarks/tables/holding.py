"""The tables of conversations: what stands in the prompt, what statements are worth, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tables.cells import RESULTS, result, table

SUITES = {
    "natural": "natural dialogues",
    "made": "made by seed",
    "held-out": "made, held-out phrasings",
}
PARTS = {"seen": "eight, whose words were looked at", "others": "the other six"}
RULES, GOLD = "context, rules", "context, gold statements"
LEARNED = "context, learned"
SENTENCES = "context, sentences of qwen2.5-coder-1.5b"
MEASURED = {
    "right value in the prompt": "right",
    "stale value beside it": "stale",
    "stale or lure beside it, of all questions": "wrong of all",
}
STATED = {
    "statements F1": "f1",
    "invented statements": "invented share",
    "dates resolved": "dates resolved",
}
# By suite: what, how much, and whether it is a ceiling.
AIMS = {
    "natural": (
        ("right value in the prompt", 92, False),
        ("stale or lure beside it, of all questions", 8, True),
        ("statements F1", 70, False),
        ("dates resolved", 80, False),
    ),
    "made": (
        ("right value in the prompt", 99, False),
        ("stale value beside it", 2, True),
        ("invented statements", 1, True),
    ),
    "held-out": (
        ("right value in the prompt", 99, False),
        ("stale value beside it", 2, True),
        ("invented statements", 1, True),
    ),
}
KINDS = ("now", "then", "since", "date", "who", "set", "instruction")


def holding() -> str:
    """Return for each suite and arm what stands in the prompt."""
    rows = []
    for suite, found in _suites().items():
        for arm, of_arm in found["arms"].items():
            measures = of_arm["all"]
            answers = measures.get("answers", {"n": 0})
            rows.append(
                [
                    SUITES[suite],
                    arm,
                    f"{of_arm['tokens']:.0f}",
                    _cell(measures["right"]),
                    _cell(measures["stale"]),
                    _cell(measures["lure"]),
                    _cell(measures["wrong of all"]),
                    _cell(answers),
                ]
            )
    header = [
        "suite",
        "arm",
        "tokens",
        "right",
        "stale beside it",
        "lure beside it",
        "either, of all",
    ]
    if any(row[-1] for row in rows):
        return table([*header, "answers"], rows)
    return table(header, [row[:-1] for row in rows])


def holding_kinds() -> str:
    """Return for each suite and arm the share of right values, and of wrong ones beside them, by kind."""
    rows = []
    for suite, found in _suites().items():
        for arm, of_arm in found["arms"].items():
            cells = []
            for kind in KINDS:
                measures = of_arm["kinds"].get(kind)
                cells.append("" if measures is None else _pair(measures))
            rows.append([SUITES[suite], arm, *cells])
    return table(["suite", "arm", *KINDS], rows)


def holding_statements() -> str:
    """Return how the statements of each arm compare with the gold ones."""
    rows = []
    for suite, found in _suites().items():
        for arm, of_arm in found["arms"].items():
            if (held := of_arm.get("statements")) is None:
                continue
            rows.append(
                [
                    SUITES[suite],
                    arm,
                    f"{held['gold']:,}",
                    f"{held['found']:,}",
                    *(
                        f"{held[name]:.1f}"
                        for name in ("recall", "precision", "f1", "invented share")
                    ),
                    f"{held['injected']}",
                    f"{held['dates resolved']:.1f} ({held['dated']})",
                ]
            )
    header = [
        "suite",
        "arm",
        "gold",
        "found",
        "recall",
        "precision",
        "F1",
        "invented",
        "injected",
        "dates resolved",
    ]
    return table(header, rows)


def holding_parts() -> str:
    """Return the natural dialogues apart: people that were looked at while it was built, and the others."""
    rows = []
    for part, arms in result("holding-natural").get("parts", {}).items():
        for arm, of_arm in arms.items():
            if (held := of_arm.get("statements")) is not None:
                rows.append([PARTS[part], arm, *_part(of_arm["all"], held)])
    header = [
        "people",
        "arm",
        "right",
        "either, of all",
        "found",
        "F1",
        "invented",
        "dates resolved",
    ]
    return table(header, rows)


def _part(measures: Mapping[str, Any], held: Mapping[str, Any]) -> list[str]:
    return [
        _cell(measures["right"]),
        _cell(measures["wrong of all"]),
        f"{held['found']:,}",
        f"{held['f1']:.1f}",
        f"{held['invented share']:.1f}",
        f"{held['dates resolved']:.1f} ({held['dated']})",
    ]


def _suites() -> dict[str, Any]:
    return {
        suite: result(f"holding-{suite}")
        for suite in SUITES
        if Path(RESULTS / f"holding-{suite}.json").exists()
    }


def _cell(found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return ""
    return f"{found['share']:.1f} [{found['low']:.0f}, {found['high']:.0f}] ({found['n']:,})"


def _pair(measures: Mapping[str, Any]) -> str:
    right, wrong = measures["right"], measures["wrong"]
    if not right["n"]:
        return ""
    beside = f", {wrong['share']:.0f}" if wrong["n"] else ""
    return f"{right['share']:.0f}{beside} ({right['n']})"


def aims() -> str:
    """Return what was aimed at, what the best of our arms that needs no gold statements reaches, and what gold would."""
    rows = []
    for suite, goals in AIMS.items():
        if not Path(RESULTS / f"holding-{suite}.json").exists():
            continue
        arms = result(f"holding-{suite}")["arms"]
        for name, aim, at_most in goals:
            cells = [
                _reached(_value(arms.get(arm), name), aim, at_most=at_most)
                for arm in (RULES, LEARNED, SENTENCES, GOLD)
            ]
            rows.append(
                [SUITES[suite], name, f"{'at most' if at_most else 'at least'} {aim}", *cells]
            )
    return table(
        ["suite", "%", "aim", "rules", "learned", "sentences of a 1.5B", "gold, by hand"], rows
    )


def _value(arm: Mapping[str, Any] | None, name: str) -> float | None:
    if arm is None:
        return None
    if name in MEASURED:
        return float(arm["all"][MEASURED[name]]["share"])
    return float(arm["statements"][STATED[name]])


def _reached(value: float | None, aim: float, *, at_most: bool) -> str:
    if value is None:
        return ""
    is_reached = value <= aim if at_most else value >= aim
    return f"{value:.1f}{'' if is_reached else ', **missed**'}"


def locomo_turns() -> str:
    """Return what a turn is found by, and how often it is."""
    rows = []
    for name, found in result("locomo_turns")["rows"].items():
        better = "" if name == "words of the turn" else _signed(found["against the turn"])
        each = ", ".join(f"{one:.0f}" for one in found["by conversation"])
        rows.append([name, _mean(found["recall"]), better, each])
    return table(["found by", "recall@10", "against the turn alone", "by conversation"], rows)


def second_look() -> str:
    """Return what one look and two find of facts that override each other."""
    rows = []
    for arm, found in result("second_look")["arms"].items():
        for measure in ("found", "stale", "exact"):
            cells = [_mean(found[kind][measure]) for kind in ("unchanged", "single-hop", "two-hop")]
            rows.append([arm, measure, *cells])
    return table(["shown by", "%", "unchanged", "single-hop", "two-hop"], rows)


def conversing() -> str:
    """Return what conversations cost, what leaks and what is lost."""
    found = result("conversing")
    costs, heads, fuzz = found["costs"], found["heads"], found["fuzz"]
    remember, context = costs["remember_ms"], costs["context_ms"]
    lines = [
        [
            "`remember` of two messages, nothing encoded",
            f"{remember['p50']:.1f} ms, p95 {remember['p95']:.1f}",
            "5 ms",
        ],
        [
            f"`context` over {costs['turns']:,} turns and {costs['statements']:,} statements of a user",
            f"{context['p50']:.1f} ms, p95 {context['p95']:.1f}",
            "15 ms",
        ],
        [
            f"tokens at the head of each prompt that are the last one's, {heads['turns']} turns",
            f"{heads['share']:.1f} %",
            "95 %",
        ],
        [
            "tokens that a model takes to digest, for each token remembered, by a high estimate",
            f"{found['spent']['for each']:.1f}",
            "1",
        ],
        [
            f"words of another among {found['leaks']['shown']:,} shown to {found['leaks']['users']} users at once",
            f"{found['leaks']['leaked']}",
            "0",
        ],
        [
            f"turns lost in {fuzz['runs']:,} conversations that broken digesters read",
            f"{fuzz['lost']}",
            "0",
        ],
        [
            f"of {fuzz['statements']:,} statements then, closed without a newer one or an end",
            f"{fuzz['closed for nothing']}",
            "0",
        ],
    ]
    return table(["", "measured", "aim"], lines)


def _mean(found: Sequence[float]) -> str:
    return f"{found[0]:.1f} [{found[1]:.0f}, {found[2]:.0f}]"


def _signed(found: Sequence[float]) -> str:
    return f"{found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]"


def tidying() -> str:
    """Return what tidying spoils, what it costs, and what it changes of what is shown."""
    found, alike = result("tidying"), result("alike_values")
    fuzz, took = found["fuzz"], found["took"]
    lines = [
        [
            f"turns or statements lost in {fuzz['runs']:,} histories with broken summarisers",
            f"{fuzz['lost']}",
            "0",
        ],
        [
            f"of {fuzz['statements']:,} statements then, closed without another one that holds",
            f"{fuzz['closed for nothing']}",
            "0",
        ],
        ["of these histories, not as before once all was undone", f"{fuzz['not as before']}", "0"],
        [
            "tokens that a model takes to summarise sessions of 100 turns, for each token remembered",
            f"{found['spent']['for each']:.2f}",
            "1, with digesting",
        ],
    ]
    for one in took:
        turns = f"{one['turns']:,} turns of a user with {one['statements']:,} statements"
        lines.append([f"reading {turns} by rules", f"{one['digest_s']:.1f} s", ""])
        lines.append([f"tidying {turns}", f"{one['tidy_s']:.1f} s", ""])
    same, differ = alike["same"], alike["differ"]
    lines += [
        [
            f"of {differ['pairs']:,} pairs of values that differ, taken for one",
            f"{differ['by words'] + differ['that only add words']['>= 0.9']}",
            "0",
        ],
        [
            f"of {same['pairs']:,} pairs in other words, taken for one",
            f"{same['by words'] + same['that only add words']['>= 0.9']}",
            "",
        ],
    ]
    for one in found["harm"]:
        shares = ", ".join(f"{name} {one[name]['share']:.1f} %" for name in ("right", "stale"))
        lines.append([f"made people, statements by rules, {one['what']}", shares, ""])
    return table(["", "measured", "aim"], lines)
