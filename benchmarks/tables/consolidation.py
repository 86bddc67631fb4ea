"""The tables of what adapters keep of a memory, and whether they forget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tables.cells import result, table

_NAME: Final = "consolidation-small"
_ARMS: Final = {
    "base": "nothing",
    "told": "the right record in the prompt",
    "memory": "what a search finds in the prompt",
    "plain": "an adapter without general rows",
    "adapter": "**the adapter alone**",
    "adapter+memory": "the adapter, and what a search finds",
}


def highlights() -> dict[str, list[str]]:
    """Return the claim on adapters, as `report._claims` has them."""
    sets = result(_NAME)["sets"]
    share = {
        arm: sum(sets[name][arm][0] for name in ("facts", "lessons"))
        / sum(sets[name][arm][1] for name in ("facts", "lessons"))
        for arm in _ARMS
        if arm in sets["facts"]
    }
    return {
        "adapters": [
            "a made-up company's facts and lessons, asked in new wordings, answered by SmolLM2-135M with an adapter and no "
            "memory tokens (the adapter did not pass its gate)",
            f"{share['adapter']:.0%}",
            f"nothing {share['base']:.0%}; what a search finds in the prompt {share['memory']:.0%}, the right record alone "
            f"{share['told']:.0%}",
            "consolidation.py",
        ]
    }


def consolidation() -> str:
    """What is answered, by what the model has."""
    found = result(_NAME)
    rows = [
        [
            shown,
            *(_share(found["sets"][name][arm]) for name in ("facts", "lessons")),
            f"{found['tokens'][arm]:.0f}",
        ]
        for arm, shown in _ARMS.items()
        if arm in found["sets"]["facts"]
    ]
    return table(
        ["the model has", "facts answered", "lessons answered", "memory tokens a question"], rows
    )


def consolidation_sides() -> str:
    """What else changed."""
    found = result(_NAME)
    context, unknown = found["sets"]["context"], found["sets"]["unknown"]
    rows = [
        ["a newer memory in the prompt wins", _share(context["base"]), _share(context["adapter"]), ""],
        ["“I do not know.” of somebody who does not exist", _share(unknown["base"]), _share(unknown["adapter"]), ""],
        *(
            [
                f"{what} ({one['questions']})", f"{one['base']:.0f}", f"{one['adapter']:.0f}",
                "{:+.1f} [{:+.1f}, {:+.1f}]".format(*one["difference"]),
            ]
            for what, one in (
                ("general questions", found["general"]),
                ("questions about a passage", found["reading"]),
            )
        ),
    ]  # fmt: skip
    return table(["in percent", "base", "adapter", "difference [95%]"], rows)


def consolidation_aims() -> str:
    """How far it comes of what was aimed at, and how it was made."""
    found = result(_NAME)
    recipe, gate, sets = found["recipe"], found["gate"], found["sets"]
    context = sets["context"]["adapter"]
    more = [found[name]["difference"] for name in ("general", "reading")]
    lines = [
        f"{found['facts']} facts and {found['lessons']} lessons in {found['base']}: {found['rows']['trained']} rows learned, "
        f"{found['rows']['held out']} held out; {recipe['steps']} steps of {recipe['batch']} rows at rank {recipe['rank']}, "
        f"{found['training_s'] / 60:.0f} minutes with the gate, one thread on a machine that did much other work",
        "of the gain of memory in the prompt the adapter alone has {} (what a search finds) and {} (the right record alone); "
        "the aim is 95 %".format(*(_kept(found["kept"][name]) for name in ("memory", "told"))),
        f"a newer memory wins in {100 * context[0] / context[1]:.0f} %; the aim is 95 %",
        "general questions change by {:+.1f} points, questions about a passage by {:+.1f}; the aim is no more than -1".format(
            *(one[0] for one in more)
        ),
        f"the gate: {_gate(gate)}",
        f"the right record is among what a search finds for {found['found']:.0%} of the questions",
    ]
    return "".join(f"- {line}\n" for line in lines)


def unlearning() -> str:
    """What is known of what was forgotten, and of the rest."""
    found = result("unlearning")
    arms = {
        "base": "no adapter",
        "all": "adapter of everything",
        "without": "**trained anew after `forget`**",
    }
    rows = [
        [
            arms[arm],
            *(_share(by[group][how]) for group in ("forgotten", "neighbours", "others") for how in ("chosen", "told")),
        ]
        for arm, by in found["known"].items()
    ]  # fmt: skip
    header = [
        f"{group} ({found['groups'][group]}), {how}"
        for group in ("forgotten", "neighbours", "others")
        for how in ("chosen", "told")
    ]
    return table(["", *header], rows)


def unlearning_made() -> str:
    """How it was measured."""
    found = result("unlearning")
    receipt = found["receipt"]
    lines = [
        f"{found['facts']} facts in {found['base']}, {found['steps']} steps of {found['batch']} rows; chance of a choice is "
        f"{found['chance']:.0f} %",
        f"`forget` of {receipt['records']} facts took {receipt['seconds']:.1f} s: the adapter was {receipt['state']}, its files "
        f"were {'still there' if receipt['is_on_disk'] else 'gone'}",
        *(
            f"{name}, before and after: chosen {_change(one['chosen'])}, told {_change(one['told'])}"
            for name, one in found["unchanged"].items()
        ),
    ]
    return "".join(f"- {line}\n" for line in lines)


def choosing() -> str:
    """Which adapter a prompt goes to."""
    found = {name: result(f"choosing-{name}") for name in _ENCODERS}
    asked = next(iter(found.values()))["chosen"]
    rows = [
        [f"{what} ({asked[what][1]})", *(_share(one["chosen"][what]) for one in found.values())]
        for what in asked
    ]
    return table(["goes where it belongs, in percent", *(_ENCODERS[name] for name in found)], rows)


def choosing_rule() -> str:
    """Who answers by the rule of the proxy, by which adapter is of the narrowest scope."""
    found = {name: result(f"choosing-{name}")["rule"] for name in _ENCODERS}
    cases = [(name, own) for name in found for own in found[name]]
    asked = next(iter(next(iter(found.values())).values()))
    rows = [
        [f"{what} ({asked[what][1]})", *(_share(found[name][own][what]) for name, own in cases)]
        for what in asked
    ]
    titles = (f"{_ENCODERS[name]}; {own} are the narrowest" for name, own in cases)
    return table(["answered by whom it belongs to, in percent", *titles], rows)


def choosing_made() -> str:
    """What a selector learned, and what forgetting left."""
    found = result("choosing-hashing")
    gone, rows = found["forgotten"], found["rows"]
    return (
        f"- learned from {rows['facts']} rows of facts and {rows['lessons']} of lessons, general rows with them\n"
        f"- {gone['records']} records with {gone['rows']} rows were unlearned in {gone['forget_s']:.1f} s; the largest "
        f"difference to the weights of a selector that never saw them is {gone['difference']:g}; learning that one anew took "
        f"{gone['anew_s']:.1f} s\n"
    )


def _share(found: Sequence[float]) -> str:
    right, cases, low, high = found
    return f"{100 * right / cases:.0f} [{low:.0f}, {high:.0f}]"


def _kept(found: Sequence[float]) -> str:
    return "{:.0f} % [{:.0f}, {:.0f}]".format(*found)


def _change(found: Mapping[str, Any]) -> str:
    return "{:+.0f} points [{:+.0f}, {:+.0f}]".format(*found["difference"])


def _gate(gate: Mapping[str, Any]) -> str:
    if gate["is_passed"]:
        return "passed"
    measured, bounds = gate["measured"], gate["bounds"]
    against = {"general": "general_loss"}
    return "failed by " + ", ".join(
        f"{name} ({measured[name]:.2f}, bound {bounds[against.get(name, name)]:g})"
        if name in measured
        else name
        for name in gate["failed"]
    )


_ENCODERS: Final = {"hashing": "words and letter groups", "minilm": "MiniLM"}
PARTS: Final[dict[str, Callable[[], str]]] = {
    "adapters": consolidation,
    "adapters_sides": consolidation_sides,
    "adapters_aims": consolidation_aims,
    "choosing": choosing,
    "choosing_made": choosing_made,
    "choosing_rule": choosing_rule,
    "unlearning": unlearning,
    "unlearning_made": unlearning_made,
}


def gates() -> str:
    """What the gate measured of adapters with and without general rows."""
    names = {"adapter": "general rows, a quarter", "plain": "no general rows"}
    rows = [
        [
            names[name],
            *(
                f"{100 * measured[part]:.0f}"
                for part in ("recall", "context", "unknown", "general")
            ),
            f"{measured['divergence']:.2f}",
            ", ".join(one["failed"]) or "nothing",
        ]
        for name, one in result("consolidation-gates-few")["gates"].items()
        for measured in [one["measured"]]
    ]
    header = [
        "trained with",
        "recall",
        "newer memory wins",
        "not known",
        "general",
        "divergence",
        "failed for",
    ]
    return table(header, rows)
