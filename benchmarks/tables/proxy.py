"""The measured tables about the proxy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tables.cells import result, table


def overhead() -> str:
    """What the proxy adds to a call."""
    rows = result("proxy")["overhead"]
    told = []
    for kind, name in (("whole", "whole answer"), ("first", "first chunk of a stream")):
        direct, proxy, recall, without = (
            rows[f"{way}, {kind}"]["p50_ms"]
            for way in ("direct", "proxy", "recall", "proxy without recall")
        )
        told.append(
            [name, f"{direct:.1f}", f"{proxy:.1f}", f"{recall:.1f}", f"**{without - direct:.1f}**"]
        )
    head = ["p50, ms", "straight", "through the proxy", "its recall", "overhead without recall"]
    return table(head, told)


def streams() -> str:
    """Streams at once."""
    rows = [
        [name, str(row["streams"]), str(row["whole"]), f"{row['first_p50_s']:.2f}"]
        for name, row in result("proxy")["streams"].items()
    ]
    return table(["", "streams at once", "came whole", "first chunk, p50 s"], rows)


def resident() -> str:
    """The server's memory over many requests."""
    told = result("proxy")["memory"]["resident_mib"]
    numbers = sorted(map(int, told))
    numbers = [*numbers[:2], *numbers[2::2]]
    row = ["MiB resident", *(f"{told[str(number)]:.0f}" for number in numbers)]
    return table(["requests", *(f"{number:,}" for number in numbers)], [row])


def cache() -> str:
    """What a model's server finds in its cache."""
    rows = []
    for kind, long in (("sentences", ""), ("passages", "_long")):
        ways = result(f"proxy_cache{long}")["ways"]
        rows += _ways(kind, ways, ways["off"]["share"])
    head = ["memory of", "", "prompt tokens", "% in the cache", "of the last 10 turns", "tokens read", "share, off = 100 %"]  # fmt: skip
    return table(head, rows)


def _ways(kind: str, ways: dict[str, dict[str, float]], off: float) -> list[list[str]]:
    return [
        [kind, name, f"{row['prompt_tokens']:,}", f"{100 * row['share']:.1f}", f"{100 * row['share_of_last_half']:.1f}",
         f"{row['read_tokens']:,}", f"{100 * row['share'] / off:.0f} %"]
        for name, row in ways.items()
    ]  # fmt: skip


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "proxy_overhead": overhead,
    "proxy_streams": streams,
    "proxy_resident": resident,
    "proxy_cache": cache,
}
