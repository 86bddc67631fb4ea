"""Does a model follow a lesson, and in which form of asking does it do so best? Does it write true lessons?

    agentcl model serve qwen2.5-coder-1.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096
    python benchmarks/following.py --url URL --model NAME [--cases 100] [--seed 0] [--only following,lessons]
    python benchmarks/following.py --url URL --model NAME --only following --forms text,thought --conditions lesson,none
    python benchmarks/following.py --model smollm2-135m           (in this process)
    python benchmarks/following.py --estimate                     (how many tokens a run takes; asks nobody)

The probes are those of `agentcl model tune`:

- following: five actions, one of which a lesson names. The lesson stands alone, among four that name the other actions, stands
  among four that are nearly about the same, is missing, or is replaced by one about something else. Right by chance is 20 %.
- lessons: what `Teacher` writes of a record of two steps, after no, one and three examples, with a schema and without.
- edits: what `OutcomeTeacher` draws of the same records, after the model worded or refused it.
- objects, tools, reading: an object from a sentence, or a tool called with it; an answer from a passage.

Answers are greedy and kept in `.bench`, so that a run which was cut off asks nothing twice. Each row is printed as soon as it is
there. Intervals are Wilson's, 95 %. The results of several models stand beside one another in `results/following.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from parts.results import CACHE, FOLDER, machine, save, table, wilson

from agentcl.agents.forms import FORMS
from agentcl.agents.probes import CONDITIONS
from agentcl.agents.tuning import EXAMPLES, Figure, Prober, best_way, tells_likelihoods
from agentcl.errors import AgentclError, RequestRefused
from agentcl.models import CachedModel, ChatModel, Message, OpenAIChat, ScriptedModel, open_model
from agentcl.models.tuned import Way
from agentcl.store.usage import Usage

PROBES: Final = ("following", "lessons", "edits", "objects", "reading", "tools")
Probe = Callable[[], Figure]


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--url", default="", help="of an endpoint; without: a model of this machine"
    )
    parser.add_argument(
        "--model", default="smollm2-135m", help="as the endpoint or this machine names it"
    )
    parser.add_argument("--cases", type=int, default=100, help="of each row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=8, help="cases under way at once")
    parser.add_argument("--only", default=",".join(PROBES), help="some of the probes")
    asked_in = [way for way in FORMS if way != "bare"]  # that is for models that were trained on it
    parser.add_argument("--forms", default=",".join(asked_in), help="some of the forms")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="some of the conditions")
    parser.add_argument(
        "--estimate", action="store_true", help="say what a run takes, and ask nobody"
    )
    asked = parser.parse_args()
    try:
        run(asked)
    except AgentclError as error:
        sys.exit(f"error: {error}\nWhat was answered is kept: the same command goes on from here.")


def run(asked: argparse.Namespace) -> None:
    """Ask the probes. Raises AgentclError if the model cannot be asked."""
    if asked.estimate:
        estimate(asked)
        return
    own = (
        OpenAIChat(asked.model, base_url=asked.url, timeout_s=600)
        if asked.url
        else open_model(asked.model)
    )
    before = own.fingerprint()
    model = CachedModel(own, CACHE / f"following-{before}.db")  # other weights, other answers
    figures = []
    started = time.monotonic()
    for number, probe in enumerate(plan := list(rows_of(model, asked)), 1):
        try:
            figures.append(figure := probe())
        except RequestRefused as error:  # as by a server that takes no tools
            print(f"{number} of {len(plan)} is left out: {error}", flush=True)
            continue
        took = time.monotonic() - started
        print(f"{number} of {len(plan)}, {took:,.0f} s: {', '.join(cells(figure))}", flush=True)
    model.close()
    print()
    table(
        ["probe", "asked", "condition", "right, %", "95 %", "tokens each"],
        [cells(one) for one in figures],
    )
    kept = FOLDER / "following.json"
    models = json.loads(kept.read_text("utf-8"))["models"] if kept.exists() else {}
    held = models.get(asked.model, {})
    if held.get("fingerprint") != before:
        held = {}
    rows = joined(held.get("rows", []), [row_of(figure) for figure in figures])
    models[asked.model] = {
        "machine": machine("openai"),
        "fingerprint": before,
        "is_frozen": own.fingerprint() == before,
        "seed": asked.seed,
        "chosen": chosen(rows),
        "rows": rows,
    }
    save("following", {"models": models})


def rows_of(model: ChatModel, asked: argparse.Namespace) -> Iterator[Probe]:
    """Yield what measures each row."""
    prober = Prober(
        model, cases=asked.cases, seed=asked.seed, concurrency=asked.concurrency if asked.url else 1
    )
    probes = asked.only.split(",")
    forms, conditions = asked.forms.split(","), asked.conditions.split(",")
    ways: list[Way] = [way for way in FORMS if way in forms]
    if "scored" in ways and not asked.estimate and not tells_likelihoods(model):
        print("the model tells no log-probabilities: the form 'scored' is left out")
        ways.remove("scored")
    if "following" in probes:
        for way in ways:
            for condition in filter(conditions.__contains__, CONDITIONS):
                yield partial(prober.following, way, condition)
    if "lessons" in probes:
        for is_constrained in (True, False):
            for examples in EXAMPLES:
                yield partial(prober.lessons, examples, is_constrained=is_constrained)
    if "edits" in probes:
        yield prober.edits
    if "objects" in probes:
        for is_constrained in (True, False):
            yield partial(prober.objects, is_constrained=is_constrained)
    if "reading" in probes:
        yield prober.reading
    if "tools" in probes:
        yield prober.tools


def estimate(asked: argparse.Namespace) -> None:
    """Print how many tokens a run takes, by answers of the usual length."""

    def said(messages: Sequence[Message]) -> str:
        last = messages[-1].content
        if last.endswith("Next action?"):
            is_thinking = "Thought: " in messages[0].content
            return f"{'Thought: it is torn, and guidance says to wax it then. ' * is_thinking}\nAction: wax Sarn"
        if "Check them as JSON" in last:
            edits = [{"number": n, "keep": n == 1, "when": "a loom is torn"} for n in (1, 2)]
            return json.dumps({"lessons": edits})
        if "guidance as JSON" in last:
            lesson = {"when": "a loom is torn", "claim": "do", "what": "wax it", "level": "family"}
            return json.dumps({"guidance": [lesson, lesson]})
        return json.dumps({"name": "Sarn", "kind": "loom", "years": 5})

    rows = []
    for probe in rows_of(ScriptedModel(said), argparse.Namespace(**{**vars(asked), "cases": 1})):
        figure = probe()
        used = figure.usage
        times = asked.cases * (
            2 if figure.asked == "scored" else 1
        )  # two orders; a script tells of none
        rows.append(
            [figure.probe, figure.asked, figure.condition]
            + [f"{times * one:,}" for one in (used.prompt_tokens, used.completion_tokens)]
        )
    table(["probe", "asked", "condition", "tokens read", "written"], rows)
    print(
        "\nThese are high estimates. A server that keeps the beginnings of prompts reads a third of them or less."
    )


def chosen(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the form that `agentcl model tune` would choose by these rows; empty without any."""
    following = [figure_of(row) for row in rows if row["probe"] == "following"]
    return best_way(following) if following else ""


def joined(
    before: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the rows of this run, and those of earlier ones that it did not measure again."""
    new = {(row["probe"], row["asked"], row["condition"]) for row in rows}
    old = [row for row in before if (row["probe"], row["asked"], row["condition"]) not in new]
    return sorted([*old, *rows], key=lambda row: PROBES.index(row["probe"]))


def row_of(figure: Figure) -> dict[str, Any]:
    """Return what is kept of a figure."""
    low, high = wilson(figure.right, figure.cases)
    return {
        "probe": figure.probe,
        "asked": figure.asked,
        "condition": figure.condition,
        "right": figure.right,
        "cases": figure.cases,
        "share": figure.share,
        "low": low,
        "high": high,
        "also": figure.also,
        "prompt_tokens": figure.usage.prompt_tokens,
        "completion_tokens": figure.usage.completion_tokens,
    }


def figure_of(row: Mapping[str, Any]) -> Figure:
    """Return the figure that a row was made of."""
    used = Usage(row["cases"], row["prompt_tokens"], row["completion_tokens"])
    told = {name: row[name] for name in ("probe", "asked", "condition", "right", "cases", "also")}
    return Figure(**told, usage=used)


def cells(figure: Figure) -> list[str]:
    """Return a figure as a row to be shown."""
    low, high = wilson(figure.right, figure.cases)
    return [
        figure.probe,
        figure.asked,
        figure.condition,
        f"{100 * figure.share:.0f}",
        f"{100 * low:.0f} to {100 * high:.0f}",
        f"{figure.usage.tokens / figure.cases:,.0f}",
    ]


if __name__ == "__main__":
    main()
