"""The tables of compressed memories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tables.cells import result, table


def compression() -> str:
    """What was answered, by what was read."""
    rows = [
        [
            row["documents"],
            row["read"],
            *("{:.0f} [{:.0f}, {:.0f}]".format(*row[name]) for name in ("em", "f1")),
            f"{row['prompt_tokens']:.0f}",
            f"{row['read_tokens']:.0f}",
            f"{row['bytes']:,.0f}",
        ]
        for row in result("compression")["rows"]
    ]
    header = ["documents", "read", "EM [95%]", "F1 [95%]", "prompt tokens", "read", "bytes"]
    return table(header, rows)


def compression_made() -> str:
    """What the codec is, and how far it comes of what was aimed at."""
    found = result("compression")
    made = found["made"]
    em = {(row["documents"], row["read"]): row["em"][0] for row in found["rows"]}
    lines = [
        f"the codec `{found['codec']['name']}`, made by the preset `{made['preset']}` in {made['minutes']:g} minutes on a "
        f"processor that did much other work: {made['documents']:,} documents, {made['steps']:,} steps",
        f"{found['questions']} questions of each set; encoding takes {found['encode_ms']:.0f} ms a passage of one processor",
        f"the model's fingerprint was equal before and after: {'yes' if found['is_frozen'] else 'NO'}",
    ]
    for slots, aim in ((16, 90), (8, 75)):
        shares = [
            f"{100 * em[name, f'its memory, k = {slots}'] / em[name, 'whole document']:.0f} % with {name}"
            for name in dict.fromkeys(row["documents"] for row in found["rows"])
        ]
        lines.append(
            f"of the whole document's EM, the memory of {slots} soft tokens reaches {', '.join(shares)}; the aim is {aim} %"
        )
    for count, by in found["recall@1"].items():
        told = ", ".join(
            "{}: {:.0f} % [{:.0f}, {:.0f}]".format(name, *share) for name, share in by.items()
        )
        lines.append(f"own document found first among {count} (6 to 9 facts): {told}")
    return "".join(f"- {line}\n" for line in lines)


PARTS: Final[dict[str, Callable[[], str]]] = {
    "compression": compression,
    "compression_made": compression_made,
}
