"""The measured tables of domains and of runs; `report.py` puts them into the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tables.cells import result, table


def highlights() -> dict[str, list[str]]:
    """Return the claims on runs, as `report._claims` has them."""
    conversations = result("locomo_recall")
    found = {
        baseline: row["recall"]["all (1 to 4)"][0]
        for baseline, row in conversations["baselines"].items()
    }
    return {
        "locomo": [
            f"evidence recall@{conversations['depth']} on LoCoMo, {conversations['conversations']} conversations",
            f"{found['ours']:.1f}",
            f"mem0's store {found['mem0']:.1f}, BM25 {found['bm25']:.1f}, dense {found['dense']:.1f}",
            "locomo_recall.py",
        ],
    }


def learning() -> str:
    """What memory is worth in incident response."""
    rows = []
    for title, run in result("learning")["runs"].items():
        for baseline, row in run["baselines"].items():
            rows.append(
                [f"{title}, {run['seeds']} seeds", baseline, f"{row['score']:.3f}", f"{row['second half']:.3f}", _gain(row["gain"]),
                 f"{run['bounds']['without memory']:.2f}", f"{row['tokens an episode']:,.0f}"]
            )  # fmt: skip
    return table(
        ["who acts, in which family", "memory", "score", "second half", "against `none`",
         "best without memory", "tokens an episode"],
        rows,
    )  # fmt: skip


def leak() -> str:
    """What the leakage check found."""
    found = result("learning")["leak"]
    return (
        f"With the answers among what is recalled, the responder scores {found['score']:.2f}. The check caught "
        f"{found['caught']} of {found['episodes']} such episodes. It flagged none of those in the table above.\n"
    )


def consolidation() -> str:
    """Facts that override each other."""
    found = result("fact_consolidation")
    kinds = list(next(iter(found["baselines"].values())))
    rows = [
        [
            baseline,
            *(
                f"{100 * row[kind]['exact']:.0f} / {100 * row[kind]['recall']:.0f}"
                for kind in kinds
            ),
        ]
        for baseline, row in found["baselines"].items()
    ]
    counts = next(iter(found["baselines"].values()))
    return table(["memory", *(f"{kind} (n={counts[kind]['n']})" for kind in kinds)], rows)


def locomo() -> str:
    """Evidence recall on conversations."""
    found = result("locomo_recall")
    kinds = list(found["questions"])
    rows = [
        [baseline, *(f"{row['recall'][kind][0]:.1f}" for kind in kinds)]
        for baseline, row in found["baselines"].items()
    ]
    return table(["memory", *(f"{kind} (n={found['questions'][kind]})" for kind in kinds)], rows)


def locomo_paired() -> str:
    """Ours against each other baseline on conversations."""
    rows = [
        [
            row["baseline"],
            row["against"],
            *(_interval(row["recall"][kind]) for kind in row["recall"]),
        ]
        for row in result("locomo_recall")["paired"]
    ]
    kinds = list(result("locomo_recall")["paired"][0]["recall"])
    return table(["recall@10 of", "against", *kinds], rows)


def overhead() -> str:
    """What the runner costs."""
    found = result("runner_overhead")
    rows = [
        [way, f"{row['cpu']:,.0f}", f"{row['cpu'] / found['limit']:.0f}"]
        for way, row in found["ways"].items()
    ]
    limit = f"times the limit of {found['limit']:.0f}"
    return table(["", "episodes a second of processor time", limit], rows)


def domains() -> str:
    """How fast domains are, and what the contract costs."""
    rows = []
    for name, row in result("domains")["domains"].items():
        cells = [name, f"{row['start_up_s']:.1f}"]
        for kind in ("step", "step_with_actions"):
            over = row.get(f"{kind}_overhead_ms")
            cells.append(f"{1e3 / row[f'{kind}_ms']:,.0f}")
            cells.append(
                "" if over is None else f"{over:.2f} ms ({row[f'{kind}_overhead_percent']:+.0f} %)"
            )
        rows.append([*cells, f"{row['peak_mb']:.0f}"])
    return table(
        ["domain", "start-up, s", "steps a second", "over the engine", "with actions listed",
         "over the engine", "peak MB"],
        rows,
    )  # fmt: skip


def points() -> str:
    """What nothing, chance and knowledge score."""
    rows = []
    for name, domain in result("reference_points")["domains"].items():
        policies = domain["policies"]
        cells = [_point(policies.get(policy)) for policy in ("null", "random", "oracle")]
        same = min(policy["the same when replayed"] for policy in policies.values())
        rows.append([name, str(policies["null"]["episodes"]), *cells, f"{same:.0%}"])
    return table(
        ["domain", "episodes", "nothing", "random", "oracle", "same score when replayed"], rows
    )


def credit() -> str:
    """What of lessons' signs is found, by rule."""
    rows = []
    for outcome, thresholds in result("credit")["outcomes"].items():
        for sure, rules in thresholds.items():
            for rule, row in rules.items():
                names = ("precision", "recall", "precision, confounded")
                cells = ["{:.2f} [{:.2f}, {:.2f}]".format(*row[name]) for name in names]
                rows.append([outcome, rule, "" if rule.startswith("ATLAS") else sure, *cells])
    shares = ["precision [95 %]", "recall", "precision, confounded"]
    return table(["outcome", "rule", "called where P above", *shares], rows)


def sharing() -> str:
    """What sharing the credit among lessons shown together is worth."""
    found = result("credit_sharing")["rows"]
    rows = [
        [
            row["outcome"],
            str(row["lessons"]),
            *("{:.3f} [{:.3f}, {:.3f}]".format(*one) for one in row["average precision"].values()),
        ]
        for row in found
    ]
    return table(["outcome", "lessons", *found[0]["average precision"]], rows)


def excytin() -> str:
    """The scripted investigator with memory and without."""
    rows = []
    for domain, found in result("excytin_lite").items():
        if domain == "machine":
            continue
        gains = found["gain_of_memory"]
        for baseline in ("null", "without memory", *gains, "oracle"):
            row = found["baselines"][baseline]
            gain = (
                "{:+.3f} [{:+.3f}, {:+.3f}]".format(*gains[baseline]["score"])
                if baseline in gains
                else ""
            )
            rows.append([domain, baseline, f"{row['score']:.3f}", gain, f"{row['steps']:.1f}"])
    return table(["domain", "memory", "score", "against none", "steps"], rows)


def _gain(gain: Mapping[str, Any] | None) -> str:
    if gain is None:
        return ""
    return f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"


def _interval(found: Sequence[float]) -> str:
    return f"{found[0]:+.1f} [{found[1]:.1f}, {found[2]:.1f}]"


def _point(row: Mapping[str, float] | None) -> str:
    return "" if row is None else f"{row['score']:.3f}"


def fuzz() -> str:
    """What became of mutated files."""
    found = result("fuzz")
    cases = found["cases"]
    kinds = ", ".join(f"{count:,} of kind `{kind}`" for kind, count in cases.items())
    return (
        f"{sum(cases.values()):,} cases ({kinds}): {len(found['faults']) + len(found['mended'])} ended in anything else. "
        f"{len(found['mended'])} of these were mended, and run again: they do so no more. The longest case took "
        f"{found['longest_s']:.1f} s. The process never had more than {found['peak_mb']} MB.\n\n"
        f"{' '.join(map(_slice, result('fuzz_slices')['slices']))}\n"
    )


def _slice(found: Mapping[str, Any]) -> str:
    """Say what became of a part of a run, on later code."""
    wrong = len(found["faults"]) + len(found["mended"])
    mended = f", and {len(found['mended'])} of these were mended" if wrong else ""
    return (
        f"On later code, {sum(found['cases'].values()):,} cases of seed {found['seed']} were run: {wrong or 'none'} ended in anything else"
        f"{mended}. The longest took {found['longest_s']:.1f} s of processor time."
    )


def practice() -> str:
    """Practice by learning progress beside other orders."""
    rows = []
    for name, found in result("practice")["settings"].items():
        for order, one in found["orders"].items():
            against = [
                "" if other == order else _episodes(one[f"fewer than {other}"])
                for other in ("random", "drawn")
            ]
            rows.append(
                [f"{name}, {found['tasks']} tasks", order, f"{one['episodes to four fifths']:.1f}", *against,
                 f"{one['mean of tests']:.3f}", f"{one['last test']:.3f}"]
            )  # fmt: skip
    header = ["practised", "order", "episodes to 80 % of the ceiling", "fewer than random", "fewer than drawn",
              "mean of all tests", "last test"]  # fmt: skip
    return table(header, rows)


def _episodes(found: list[float]) -> str:
    return f"{found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]"
