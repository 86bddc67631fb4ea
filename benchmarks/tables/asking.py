"""The measured tables of how models are asked; `report.py` puts them into the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from parts.results import wilson

from agentcl.agents.forms import FORMS
from agentcl.agents.probes import CONDITIONS
from tables.cells import RESULTS, gained, result, table

_REAL: Final = "outcomes-qwen2.5-coder-1.5b-remedy"
_SPOKEN: Final = f"{_REAL}-natural-minilm"
_MEMORIES: Final[dict[str, str]] = {
    "none": "nothing",
    "rules": "told the true rules",
    "rules-told": "told them, the model shown no examples",
    "outcomes": "guidance, taught by `OutcomeTeacher`",
    "all-shown": "all that `OutcomeTeacher` proposed, unselected",
    "edited": "guidance, taught by `OutcomeTeacher`, its lessons worded or refused by the model",
    "again": "the same, with lessons recalled once more before something is changed",
    "taught": "guidance, taught by the model itself",
}


def highlights() -> dict[str, list[str]]:
    """Return the claims on a real model, as `report._claims` has them."""
    return {
        "spoken": _claim(_SPOKEN, "tickets, chats, logs and monitors in varied English solved"),
        "real": _claim(_REAL, "incidents in controlled English solved"),
    }


def _claim(name: str, what: str) -> list[str]:
    found = result(name)
    late = {memory: one["solved by fifths"][-1] for memory, one in found["memories"].items()}
    return [
        f"{what} by a frozen real model, Qwen2.5-Coder-1.5B, last fifth of {found['episodes']} episodes, taught "
        "without a model",
        f"{late['outcomes']:.0%}",
        f"nothing remembered {late['none']:.0%}; told the true rules {late['rules']:.0%}",
        "outcomes.py",
    ]


def following() -> str:
    """In which form a lesson is followed."""
    rows = []
    for model, found in _models():
        for way, form in FORMS.items():
            asked = [
                row for row in found["rows"] if (row["probe"], row["asked"]) == ("following", way)
            ]
            if asked:
                cells = {row["condition"]: _share(row) for row in asked}
                name = f"**{way}**" if way == found["chosen"] else way
                shown = [cells.get(condition, "") for condition in CONDITIONS]
                rows.append([_of(model, *asked), name, form.about, *shown])
    return table(["model", "form", "asked for", *CONDITIONS], rows)


def tuned() -> str:
    """What `agentcl model tune` chose by a few cases."""
    rows = []
    if (RESULTS / "tuned.json").exists():
        for model, one in result("tuned")["models"].items():
            others = {
                form: found for form, found in one["followed"].items() if form != one["chosen"]
            }
            following = max(others, key=lambda form: others[form][0])
            cells = [
                f"{form}: {_percent(*one['followed'][form])}" for form in (one["chosen"], following)
            ]
            schema = "with" if one["is_constrained"] else "without"
            rows.append([model, *cells, f"{one['examples']}, {schema} schema"])
    return table(["model", "chosen", "best of the others", "examples before lessons"], rows)


def written() -> str:
    """After how many examples lessons are true."""
    rows = []
    for model, found in _models():
        for row in found["rows"]:
            if row["probe"] == "lessons":
                also = [
                    f"{100 * row['also'].get(name, 0) / row['cases']:.0f}"
                    for name in ("in form", "new")
                ]
                rows.append([_of(model, row), row["asked"], _share(row), *also])
    return table(["model", "asked", "true", "in form", "not copied"], rows)


def edited() -> str:
    """What a model makes of lessons that the record shows."""
    rows = []
    for model, found in _models():
        for row in found["rows"]:
            if row["probe"] == "edits":
                also = [
                    f"{100 * row['also'][name] / row['cases']:.0f}"
                    for name in ("worded", "refused", "unread")
                ]
                rows.append([_of(model, row), _share(row), *also])
    return table(["model", "still true", "one worded", "one refused", "answer unread"], rows)


def other_probes() -> str:
    """Objects and reading."""
    rows = []
    for model, found in _models():
        for row in found["rows"]:
            if row["probe"] in ("objects", "tools", "reading"):
                fits = [row["also"][name] for name in ("in form", "called") if name in row["also"]]
                shares = [f"{100 * one / row['cases']:.0f}" for one in fits] or [""]
                rows.append([_of(model, row), row["probe"], row["asked"], *shares, _share(row)])
            if "in words" in row["also"]:
                share = _percent(row["also"]["in words"], row["cases"])
                asked = "the call is in the answer"
                rows.append([_of(model, row), row["probe"], asked, "", share])
    return table(["model", "probe", "asked", "in form", "right"], rows)


def outcomes() -> str:
    """What frozen models make of incidents, with lessons drawn from what followed what."""
    return _lives("outcomes", _MEMORIES)


def desk() -> str:
    """What comes of tickets at the desk; the last fifth is in phrasings that were not heard before."""
    return _lives("desk", _MEMORIES | {"taught": "guidance, taught by the player itself"})


def clin() -> str:
    """What a frozen model makes of CLIN's world, in CLIN's settings."""
    names = _MEMORIES | {"notes": "its last three notes", "gold": "shown a gold path"}
    rows = []
    for file in sorted(RESULTS.glob("clin-*.json")):
        found = result(file.stem)
        for memory, one in found["memories"].items():
            phases = " ".join(f"{score:.2f}" for score in one["by phase"].values())
            cells = [f"{one['score']:.2f}", phases, gained(one["gain"]), f"{one['tokens']:,.0f}"]
            rows.append([found["setting"], names[memory], str(one["episodes"]), *cells])
    header = [
        "setting",
        "memory",
        "episodes",
        "score",
        "by trial",
        "gain over nothing",
        "tokens each",
    ]
    return table(header, rows)


def _lives(kind: str, memories: Mapping[str, str]) -> str:
    rows = []
    for file in sorted(RESULTS.glob(f"{kind}-*.json"), key=_script_last):
        found = result(file.stem)
        for memory, one in found["memories"].items():
            last = one["solved by fifths"][-1]
            cases = one["episodes"] // len(one["solved by fifths"])
            low, high = wilson(round(last * cases), cases)
            rows.append(
                [
                    found["player"],
                    found["family"],
                    found.get("voice", "controlled"),
                    found["encoder"],
                    memories[memory],
                    str(one["episodes"]),
                    f"{100 * one['solved']:.0f}",
                    f"{100 * last:.0f} [{100 * low:.0f}, {100 * high:.0f}]",
                    f"{one['tokens']:.0f}" if one["tokens"] else "",
                ]
            )
    header = [
        "player",
        "family",
        "voice",
        "encoder",
        "memory",
        "episodes",
        "solved",
        "solved, last fifth",
        "tokens each",
    ]
    return table(header, rows)


def serving() -> str:
    """How fast servers answer, and what their cache of beginnings is worth."""
    rows = []
    for file in sorted(RESULTS.glob("serving-*.json")):
        found = result(file.stem)
        alone = found["rows"]["apart, 1"]
        for one in found["rows"].values():
            rows.append(
                [
                    found["model"],
                    found["server"],
                    one["kind"],
                    str(one["streams"]),
                    f"{one['tokens']}",
                    f"{one['first_s']:.1f}",
                    f"{one['written_per_s']:.1f}",
                    f"{one['prompts_per_s'] / alone['prompts_per_s']:.1f}",
                    "" if one["cached"] is None else f"{one['cached']:.0%}",
                ]
            )
    header = [
        *("model", "server", "prompts", "at once", "tokens of a prompt", "s to the first token"),
        *("tokens written a s", "answers, times one alone", "read before"),
    ]
    return table(header, rows)


def demonstrations() -> str:
    """What past stretches in a prompt are worth, beside lessons and whole records."""
    rows = []
    for file in sorted(RESULTS.glob("demonstrations-*.json")):
        found = result(file.stem)
        for memory, one in found["memories"].items():
            last = one["solved by fifths"][-1]
            cases = one["episodes"] // len(one["solved by fifths"])
            low, high = wilson(round(last * cases), cases)
            rows.append(
                [
                    found["player"],
                    found["family"],
                    memory,
                    str(one["episodes"]),
                    f"{100 * one['solved']:.0f}",
                    f"{100 * last:.0f} [{100 * low:.0f}, {100 * high:.0f}]",
                    f"{100 * one['shown']:.0f}",
                    f"{one['tokens of memory']:.0f}",
                ]
            )
    header = [
        *("player", "family", "memory", "episodes", "solved", "solved, last fifth"),
        *("stretches shown", "tokens of memory"),
    ]
    return table(header, rows)


def state_bench() -> str:
    """How much of what an agent had to do stands in three learnings, by the way they were found."""
    rows = []
    for name, one in result("state_bench")["rows"].items():
        more = (
            ""
            if name == "agentcl"
            else "{:+.1f} [{:.1f}, {:.1f}]".format(*(100 * part for part in one["agentcl, more"]))
        )
        rows.append(
            [name, *(f"{100 * one[part]:.1f}" for part in ("recall", "precision", "F1")), more]
        )
    return table(["three learnings by", "recall", "precision", "F1", "agentcl, more F1"], rows)


def _script_last(file: Path) -> tuple[bool, str]:
    return any(f"-{name}-" in file.name for name in ("responder", "clerk")), file.name


def _models() -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not (RESULTS / "following.json").exists():  # nobody measured yet
        return
    yield from result("following")["models"].items()


def _of(model: str, *rows: Mapping[str, Any]) -> str:
    """Return a model with how many cases it was asked; in some conditions it may be fewer than in others."""
    cases = sorted({row["cases"] for row in rows})
    return f"{model}, {' or '.join(map(str, cases))} cases"


def _percent(right: int, cases: int) -> str:
    low, high = wilson(right, cases)
    return _share({"share": right / cases, "low": low, "high": high})


def _share(row: Mapping[str, Any]) -> str:
    return f"{100 * row['share']:.0f} [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
