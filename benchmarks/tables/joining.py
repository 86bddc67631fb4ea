"""The tables of how rankings are joined, and of identifiers."""

from __future__ import annotations

from collections.abc import Sequence

from parts.recalls import DEPTHS

from tables.cells import result, table

_RULES = {
    "RRF": "RRF",
    "weight 0.55": "weight 0.55, before",
    "left out, weight alone": "weight of the other sets",
    "left out, by spread": "spread, constants of the other sets",
    "hybrid": "hybrid, as built",
    "graph": "graph",
}


def joining() -> str:
    """Recall of each rule, where its constants come from the other sets."""
    rows = result("joining")["rows"]
    return table(
        ["recall@5", "dense", "BM25", *_RULES.values()],
        [
            [
                f"{row['set']} ({row['questions']:,})",
                *(f"{row['recall@5'][name][0]:.1f}" for name in ("dense", "BM25", *_RULES)),
            ]
            for row in rows
        ],
    )


def joining_paired() -> str:
    """The same against the better part, and against dense for the graph."""
    found = result("joining")
    names = [name for name in _RULES if name != "graph"]
    return table(
        [
            "",
            *(_RULES[name] for name in names),
            "graph, constants of the other sets, against dense",
        ],
        [
            [
                f"{row['set']} (against {row['better part']})",
                *(_cell(row["against better part"][name]) for name in names),
                _cell(found["graph left out"][row["set"]]["against dense"]),
            ]
            for row in found["rows"]
        ],
    )


def joining_depths() -> str:
    """What hybrid and graph gain, at each depth, over the part that is better there."""
    names = {
        "left out, by spread": "hybrid, constants of the other sets",
        "hybrid": "hybrid, as built",
        "graph": "graph",
    }
    rows = []
    for row in result("joining")["rows"]:
        found = row["all depths"]
        better = [max(parts) for parts in zip(found["dense"], found["BM25"], strict=True)]
        for name, words in names.items():
            gains = [mean - best for mean, best in zip(found[name], better, strict=True)]
            rows.append([row["set"], words, *(f"{gain:+.1f}" for gain in gains)])
    return table(["", "ranking", *(f"@{depth}" for depth in DEPTHS)], rows)


def joining_halves() -> str:
    """How often a rule falls below the better part on few questions, and what halves say."""
    found = result("joining")
    names = ("RRF", "weight 0.55", "hybrid")
    return table(
        ["", *(f"below on {found['few']} questions, {_RULES[name]}" for name in names),
         "gain on the other half", "halves with a loss"],
        [
            [
                row["set"],
                *(f"{row['below on few'][name]:.0f} %" for name in names),
                f"{row['halves']['by spread'][0]:+.1f}",
                f"{row['halves']['by spread'][1]:.0f} %",
            ]
            for row in found["rows"]
        ],
    )  # fmt: skip


def joining_graph() -> str:
    """Graph search with its constants halved and doubled."""
    graphs = result("joining")["graphs"]
    sets = list(graphs[0]["recall@5"])
    return table(
        ["graph, recall@5", *sets],
        [[g["constants"], *(f"{g['recall@5'][s][0]:.1f}" for s in sets)] for g in graphs],
    )


def identifiers() -> str:
    """How often the exact identifier comes first."""
    found = result("identifiers")
    before = {(row["encoder"], row["mode"]): row for row in found["before"]}
    rows = []
    for row in found["rows"]:
        old = before.get((row["encoder"], row["mode"]))
        rows.append(
            [
                row["encoder"],
                row["mode"],
                *(f"{row[form][0]:.1f}" for form in ("bare", "in a question")),
                *(f"{old[form][0]:.1f}" if old else "" for form in ("bare", "in a question")),
            ]
        )
    heads = ["bare", "in a question", "bare, before", "in a question, before"]
    return table(["encoder", "mode", *heads], rows)


def _cell(found: Sequence[float]) -> str:
    return f"{found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]"


def extraction() -> str:
    """What a part of the tokens keeps of the answers."""
    rows = []
    for row in result("extraction")["rows"]:
        if row["share"] == 1:
            continue
        better = "" if row["way"] == "ours" else _cell(row["ours_better_by"])
        support = "" if row["support"] is None else f"{row['support'][0]:.1f}"
        rows.append(
            [
                f"{row['set']} ({row['questions']:,})",
                f"1/{1 / row['share']:.0f}",
                row["way"],
                f"{row['answer'][0]:.1f} [{row['answer'][1]:.0f}, {row['answer'][2]:.0f}]",
                better,
                support,
                f"{row['tokens']:.2f}",
                f"{row['ms'] / row['search_ms']:.2f}",
            ]
        )
    heads = ["set (questions)", "budget", "", "answers held, %", "ours better by", "support held, %",
             "tokens taken", "time, a search = 1"]  # fmt: skip
    return table(heads, rows)


def extraction_contexts() -> str:
    """What a context of conversations holds, with texts whole and with sentences."""
    rows = []
    for row in result("extraction")["contexts"]:
        better = "" if "better_by" not in row else _cell(row["better_by"])
        low, high = row["answer"][1:]
        rows.append([f"{row['budget']}", row["form"], f"{row['answer'][0]:.1f} [{low:.0f}, {high:.0f}]", better,
                     f"{row['tokens']:.0f}"])  # fmt: skip
    return table(["budget, tokens", "form", "answers held, %", "better by", "tokens taken"], rows)


def extraction_read() -> str:
    """What a reader answers from whole passages and from sentences of the same budget."""
    rows = []
    for row in result("extraction_read")["rows"]:
        better = "" if "em_better_by" not in row else _cell(row["em_better_by"])
        rows.append([f"1/{1 / row['share']:.0f}", row["way"], f"{row['em'][0]:.1f}", f"{row['f1'][0]:.1f}", better,
                     f"{row['tokens']:.0f}"])  # fmt: skip
    return table(["budget", "", "EM", "F1", "EM better by", "tokens taken"], rows)


def ann_sizes() -> str:
    """What vectors take of memory and disk."""
    sizes = result("ann_sizes")["sizes"]
    disk = sum(sizes["write"][part] for part in ("vectors", "rows", "graph"))
    builder = sizes["write"]["builder"]
    rows = [
        ["`exact`", sizes["exact"]["memory"], 0, 0],
        ["`usearch`, before its files are there", sizes["write"]["memory"], 0, 0],
        ["`usearch`, while they are written", sizes["write"]["peak"], builder, disk],
        ["`usearch`, once they are there", sizes["open"]["memory"], 0, disk],
    ]
    return table(
        ["index", "memory of the process", "memory of the one that builds the graph", "files"],
        [[str(name), *(f"{int(size) / 1e6:,.0f}" for size in cells)] for name, *cells in rows],
    )


def libraries() -> str:
    """Libraries for nearest neighbours, beside comparing all."""
    rows = []
    for name, cells in result("ann_libraries")["contenders"].items():
        times = [
            f"{cells[what][0]:.2f} ({cells[what][1]:.3f})" if what in cells else ""
            for what in ("all", "1 %", "without a fifth")
        ]
        has_file = "file_bytes" in cells
        rows.append(
            [
                name,
                *times,
                f"{cells['build_cpu_s']:.0f}",
                f"{cells['file_bytes'] / 1e6:.0f}" if has_file else "",
                f"{cells['open_s'] * 1e3:,.0f}" if has_file else "",
                ("yes" if cells["deleted_is_in_file"] else "no") if has_file else "",
            ]
        )
    return table(
        ["", "all, ms (recall@10)", "1 % seen", "without a fifth", "build, CPU s", "files, MB", "open, ms", "a deleted vector is in the file"],
        rows,
    )  # fmt: skip
