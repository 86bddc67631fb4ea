"""The measured tables of guidance; `report.py` puts them into the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tables.cells import gained, result, table

_SETTINGS: Final = {
    "adapt": "ADAPT, from the second trial on",
    "gen-env": "GEN-ENV, first attempts",
    "gen-task": "GEN-TASK, first attempts",
    "revisited": "five deployments visited twice",
}
_OF_ORACLE: Final = "last fifth of the oracle's"
_EACH: Final = "tokens for each solved, of none's"
_WITHOUT: Final = "guidance-no-"
# A scripted agent follows lessons, and reads no records.
_UNREAD: Final = ("transcripts-5", "episodes")
_ABLATIONS: Final = ("ablations", "ablations-gen-env")

_SHOWN_BY: Final = {
    "nothing": "nothing",
    "words": "four fifths of the words",
    "bm25": "BM25, best threshold",
    "cosine": "cosine of MiniLM, best threshold",
    "agentcl": "agentcl, with MiniLM",
    "agentcl, of 5 lessons": "agentcl, in memories of 5 lessons",
    "agentcl, of 10 lessons": "agentcl, in memories of 10 lessons",
    "agentcl, of 20 lessons": "agentcl, in memories of 20 lessons",
}


def _shown_by(name: str) -> str:
    """Return who decided what is shown, in words; a model that checked is named."""
    return _SHOWN_BY.get(name) or name.replace("agentcl, checked", "agentcl, with MiniLM, checked")


def highlights() -> dict[str, list[str]]:
    """Return the claims on guidance, as `report._claims` has them."""
    learns = result("guidance")["parts"]["learns"]
    late = {baseline: row["solved by fifth"][-1] for baseline, row in learns["baselines"].items()}
    cost = {
        baseline: row["tokens for each solved"] for baseline, row in learns["baselines"].items()
    }
    planted = result("guidance")["parts"]["planted"]["baselines"]
    carried = result("transfer")["parts"]["gen-env"]["baselines"]
    return {
        "solved": [
            f"incidents solved by a frozen 3 M model, last fifth of {learns['episodes']} episodes",
            f"{late['guidance']:.0%}",
            f"nothing remembered {late['none']:.0%}, transcripts {late['transcripts-5']:.0%}, Reflexion's notes "
            f"{late['notes-3']:.0%}, its lessons by search alone {late['ours']:.0%}; told the true rules {late['oracle']:.0%}",
            "guidance.py",
        ],
        "tokens": [
            "tokens of all roles for each incident solved",
            f"{cost['guidance']:,.0f}",
            f"nothing remembered {cost['none']:,.0f}, notes {cost['notes-3']:,.0f}, search alone {cost['ours']:,.0f}",
            "guidance.py",
        ],
        "wrong": [
            "incidents solved over 100 episodes, ten wrong lessons told before the first",
            f"{planted['guidance']['solved']:.0%}",
            f"nothing remembered or told {learns['baselines']['none']['solved']:.0%}, Reflexion's notes {planted['notes-3']['solved']:.0%}, "
            f"lessons by search {planted['ours']['solved']:.0%}",
            "guidance.py",
        ],
        "carried": [
            "first attempts in a deployment that nothing was learned in, from four like it",
            f"score {carried['guidance']['score']:.2f}",
            f"nothing remembered {carried['none']['score']:.2f}, Reflexion's notes {carried['notes-3']['score']:.2f}, lessons by "
            f"search {carried['ours']['score']:.2f}; told the true rules {carried['oracle']['score']:.2f}",
            "transfer.py",
        ],
    }


def matching() -> str:
    """Which lessons are shown where they apply, and only there."""
    rows = []
    for name, one in result("situations")["shown by"].items():
        low, high = one["interval"]
        rows.append(
            [
                _shown_by(name),
                f"{100 * one['precision']:.0f}",
                f"{100 * one['recall']:.0f}",
                f"{100 * one['f1']:.0f} [{100 * low:.0f}, {100 * high:.0f}]",
                *(f"{100 * share:.0f}" for share in one["recall by kind"].values()),
                f"{100 * one['false alarms']:.0f}",
                f"{one['others']:.2f}",
            ]
        )
    header = ["shown by", "precision", "recall", "F1", "close", "far", "long", "messy", "alarms"]
    return table([*header, "others"], rows)


def checking() -> str:
    """What a model adds that is asked about doubtful lessons, and what that takes."""
    rows = []
    for name, one in result("situations")["shown by"].items():
        if "gain" in one:
            gain, low, high = (100 * value for value in one["gain"])
            by = name.rpartition(" ")[2]
            costs = [f"{one['questions']:.1f}", f"{one['tokens']:,.0f}"]
            rows.append([by, f"{gain:+.1f} [{low:.1f}, {high:.1f}]", *costs])
    return table(["checked by", "F1, more", "questions a text", "tokens a text"], rows)


def alarms() -> str:
    """For which reasons lessons do not apply, and are shown all the same."""
    found = result("situations")["shown by"]
    kinds = [*found["agentcl"]["false alarms by kind"]]
    rows = [
        [_shown_by(name), *(f"{100 * one['false alarms by kind'][kind]:.0f}" for kind in kinds)]
        for name, one in found.items()
        if name != "nothing"
    ]
    return table(["shown by", *(kind.replace("_", " ") for kind in kinds)], rows)


def alike() -> str:
    """What texts that are like one in which a lesson was used tell of it."""
    rows = []
    for name, one in result("alike")["sets"].items():
        for band in one["bands"]:
            shares = (
                f"{100 * band[kind]:.0f} of {band[f'{kind} pairs']:,}"
                if band[f"{kind} pairs"]
                else ""
                for kind in ("applied", "did not apply")
            )
            rows.append([f"{name}, {one['lessons']} lessons", band["cosine"], *shares])
    return table(["set", "cosine", "it applied there", "it did not apply there"], rows)


def as_nearest() -> str:
    """How often the most similar used text tells whether a lesson applies."""
    rows = [
        [name, *(f"{100 * share:.0f}" for share in one["nearest"].values())]
        for name, one in result("alike")["sets"].items()
    ]
    return table(["set", "after 3 uses", "after 10 uses"], rows)


def sameness() -> str:
    """Which lessons would be merged, rightly and wrongly."""
    found = result("sameness")
    kinds = [kind for kind in found["pairs"] if kind != "same"]
    rows = [
        [
            name,
            f"{100 * one['precision']:.0f}" if one["recall"] else "",
            f"{100 * one['recall']:.1f}",
            *(f"{100 * one['wrong'][kind]:.1f}" for kind in kinds),
        ]
        for name, one in found["merged by"].items()
    ]
    said = [f"{kind}, of {found['pairs'][kind]:,}" for kind in ("same", *kinds)]
    return table(["merged by", "right", *said], rows)


def guidance() -> str:
    """What guidance is worth beside everything simpler, and what it costs."""
    rows = []
    for part, found in _learned("guidance").items():
        if part == "ablations":
            continue
        for baseline, row in found["baselines"].items():
            each = row["tokens for each solved"]
            rows.append(
                [part, baseline, f"{row['score']:.2f}", f"{row['solved']:.2f}", f"{row['solved by fifth'][-1]:.2f}",
                 gained(row.get("gain in solved")), f"{row['tokens an episode']:,.0f}",
                 f"{each:,.0f}" if each else ""]
            )  # fmt: skip
    return table(
        ["played", "memory", "score", "solved", "last fifth", "solved, against `none`",
         "tokens an episode", "for each solved"],
        rows,
    )  # fmt: skip


def guidance_bars() -> str:
    """What was asked of guidance, and what came out."""
    parts = _learned("guidance")
    learns, baseline = parts["learns"], parts["learns"]["baselines"]["guidance"]
    bars, change = learns["bars"], parts["changing"]["changes"]["guidance"]
    wrong, back = parts["planted"]["planted"]["guidance"], change["back after episodes"]
    return (
        f"- In the last fifth of the episodes, guidance solves {bars['last fifth over none']:.1f} times as many as no memory, and "
        f"{bars[_OF_ORACLE]:.0%} of what the true lessons solve. A solved incident costs {bars[_EACH]:.2f} of the tokens.\n"
        f"- It is ahead of no memory in tokens from episode {baseline['ahead in tokens from episode']}, what learning took counted in. It gains "
        f"{baseline['adaptive efficiency']:+.2f} of the score for each 1,000 tokens that memory costs (adaptive efficiency).\n"
        f"- Before the rules change, {change['before']:.0%} are solved. Of the first ten after it, "
        f"{change['first ten after']:.0%} are. "
        + (f"Four fifths of the old share is back after {back} episodes.\n" if back else "Four fifths of the old share never comes back.\n")
        + f"- Of {wrong['lessons']} wrong lessons that were planted, {wrong['out of use within ten']:.0%} were out of use within ten "
        f"uses. The most used one had {wrong['most uses']}.\n"
    )  # fmt: skip


def _learned(name: str) -> Mapping[str, Any]:
    parts: Mapping[str, Any] = result(name)["parts"]
    return parts


def transfer() -> str:
    """What carries over, in CLIN's settings, and what is kept."""
    rows = []
    for who, parts in _runs():
        for part, title in _SETTINGS.items():
            for baseline, row in parts.get(part, {"baselines": {}})["baselines"].items():
                if who == "responder" and baseline in _UNREAD:
                    continue
                rows.append(
                    [f"{who}, {title}", baseline, str(row["episodes"]), f"{row['solved']:.2f}", f"{row['score']:.2f}",
                     gained(row["gain in score"]), gained(row.get("kept"))]
                )  # fmt: skip
    return table(
        [
            "who plays what",
            "memory",
            "episodes",
            "solved",
            "score",
            "score, against `none`",
            "kept",
        ],
        rows,
    )


def signs() -> str:
    """Where the model fails that was told the true rules."""
    by_sign = result("transfer")["parts"]["gen-task"]["baselines"]["oracle"]["solved by sign"]
    (states, of_states), (named, of_named) = by_sign["state"], by_sign["name"]
    return (
        f"Told the true rules, the model solves {states} of the {of_states} episodes of GEN-TASK whose sign is a state "
        f'("is slow"), and {named} of the {of_named} whose sign is a made-up name ("raises Tavon").\n'
    )


def ablations() -> str:
    """What each part of the method pays."""
    rows = []
    for who, learned, carried in (
        ("model", _learned("guidance"), _learned("transfer")),
        ("responder", _learned("guidance_responder"), _learned("transfer_responder")),
    ):
        single = {**learned["learns"]["baselines"], **learned["ablations"]["baselines"]}
        others = [carried.get(part, {"baselines": {}})["baselines"] for part in _ABLATIONS]
        for baseline, row in single.items():
            if baseline in ("none", "guidance") or baseline.startswith(_WITHOUT):
                its = [row, *(other.get(baseline) for other in others)]
                rows.append([who, _named(baseline), *(cell for one in its for cell in _both(one))])
    # Lanes need somebody to hand a task to, so what they pay is told beside an expert who may be asked.
    lanes = result("supervision")["baselines"]
    for title, baseline in (("guidance", "supervised"), ("without lanes", "alone")):
        rows.append(["model, an expert at hand", title, *_both(lanes[baseline]), "", "", "", ""])
    return table(
        ["who plays", "memory", "one deployment: solved", "score", "rules change: solved", "score",
         "GEN-ENV: solved", "score"],
        rows,
    )  # fmt: skip


def supervision() -> str:
    """What an expert pays, and how often the supervisor asks for one."""
    found = result("supervision")
    header = ["", "score", "against `alone`", "tokens an episode", "taught, by fifth of the run"]
    return table(
        header,
        [
            [
                name,
                f"{row['score']:.2f}",
                "" if name == "alone" else gained(row["gain in score"]),
                f"{row['tokens']:,.0f}",
                ", ".join(f"{share:.0%}" for share in row["taught"]),
            ]
            for name, row in found["baselines"].items()
        ],
    )


def elsewhere() -> str:
    """The same in the other families of incidents."""
    return table(
        ["family", "memory", "episodes", "score", "score, against `none`", "tokens an episode"],
        [
            [name, baseline, str(row["episodes"]), f"{row['score']:.2f}", gained(row["gain in score"]),
             f"{row['tokens an episode']:,.0f}"]
            for name, found in result("elsewhere")["domains"].items()
            for baseline, row in found["baselines"].items()
        ],
    )  # fmt: skip


def engine() -> str:
    """What learning costs beside the model."""
    found = result("guidance_engine")
    lines = [
        ("a step: lessons recalled, the step recorded, durable", found["step_ms"], found["step_limit_ms"]),
        ("the end of an episode, durable", found["end_ms"], None),
        ("one durable row of bare SQLite, beside it", found["floor_ms"], None),
        *(
            (f"a prompt packed from 10,000 lessons, {name}", times, found["packing_limit_ms"])
            for name, times in found["packing_ms"].items()
        ),
    ]  # fmt: skip
    return (
        table(
            ["", "p50, ms", "p95, ms", "limit"],
            [[name, f"{times['p50']:.2f}", f"{times['p95']:.2f}", f"{limit:g}" if limit else ""]
             for name, times, limit in lines],
        )
        + f"\nThe memory held {found['episodes']:,} episodes and {found['lessons']:,} lessons. Computing all beliefs anew takes "
        f"{found['fold_s']:.1f} s and gives the same, byte for byte.\n"
    )  # fmt: skip


def shifts() -> str:
    """How soon a shift is noticed, and how often falsely."""
    found = result("shifts")
    rows = [
        [what, row["stream"], row["method"], row["found"], str(row["delay"]), str(row["late"]),
         str(row["false"])]
        for what in ("scores", "situations")
        for row in found[what]
    ]  # fmt: skip
    header = ["of", "stream", "method", "found", "delay (median)", "90 % within", "false in 1,000"]
    return table(header, rows)


_LOST: Final = 0.05  # of a mean score


def hostile() -> str:
    """What hostile users of a tenant change for the others, and what keeping users apart costs."""
    found = result("hostile")
    rows = [
        [way, kind, f"{one['differs']:.3f}", f"{one['harmful']:.3f}", f"{one['score']:.3f}"]
        for way, kinds in found["ways"].items()
        for kind, one in kinds.items()
    ]
    header = ["learning", "played", "lessons shown that differ", "of them harmful", "mean score"]
    times = ", ".join(f"{verb} {one['ratio']:.2f}" for verb, one in found["times"].items())
    return (
        f"{table(header, rows)}\n{found['hostile']} of {found['users']} users are hostile, in {found['episodes']:,} "
        f"episodes. Times against an agentcl that did not keep users apart: {times}.\n\n{_pairs(found['pairs'])}\n"
    )


def _pairs(pairs: Sequence[Mapping[str, Mapping[str, float]]]) -> str:
    """Say what hostile users cost by the same coins, and in how many situations."""
    scores = "; ".join(f"{one['without']['all']:.3f} and {one['with']['all']:.3f}" for one in pairs)
    lost = [
        [
            name
            for name in one["with"]
            if name != "all" and one["without"][name] - one["with"][name] > _LOST
        ]
        for one in pairs
    ]
    each = " and ".join([", ".join(str(len(names)) for names in lost[:-1]), str(len(lost[-1]))])
    fallen = f"In {each} of 8 kinds" if any(lost) else "In none of 8 kinds"
    stayed = "; in the others it stayed" if any(lost) else ""
    return (
        f"Mean scores of {len(pairs)} pairs with the same coins, shared by 21, without and with hostile users: {scores}. "
        f"{fallen} of situation the score fell by more than {_LOST:g}{stayed}."
    )


def _named(baseline: str) -> str:
    return (
        f"without {baseline.removeprefix(_WITHOUT)}" if baseline.startswith(_WITHOUT) else baseline
    )


def _both(row: Mapping[str, Any] | None) -> Sequence[str]:
    return ("", "") if row is None else (f"{row['solved']:.2f}", f"{row['score']:.2f}")


def _runs() -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (who, result(name)["parts"])
        for who, name in (("model", "transfer"), ("responder", "transfer_responder"))
    ]
