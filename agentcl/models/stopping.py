"""Where an answer ends before the model does: at the first of some strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def until(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Return the text before the first stop string, and whether there was one."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def held_back(pieces: Iterator[str], stops: Sequence[str]) -> Iterator[str]:
    """Yield pieces up to the first stop string, never a beginning of one."""
    reach = max((len(stop) - 1 for stop in stops), default=0)
    held = ""
    for piece in pieces:
        text, is_stopped = until(held + piece, stops)
        if is_stopped:
            if text:
                yield text
            return
        cut = len(text) - reach
        if cut > 0:
            yield text[:cut]
        held = text[max(cut, 0) :]
    if held:
        yield held
