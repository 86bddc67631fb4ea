"""Numbers of things in words: "1 turn", "2 turns", "1,000 summaries"."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, which is named as one."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the word for several things of a kind: aliases, synopses, summaries, turns."""
    if noun.endswith("sis"):
        return f"{noun[:-2]}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
