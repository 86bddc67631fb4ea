"""What a page hides by its own style sheets: elements that a `<style>` switches off by their name, class or id.

Of a sheet is read `display`, `visibility` and `content-visibility` of selectors such as `p`, `.note`, `#ad`, `p.note` and
`.note.old`. All other selectors, and what holds on some screens only, can show an element and hide none: what may be
seen is read. The work grows with the page, and not faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from agentcl.files.hidden import declarations, unescaped

# Comments and strings, also those that do not end.
_ASIDE: Final = re.compile(
    r"/\*(?:[^*]|\*(?!/))*(?:\*/)?|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?", re.DOTALL
)
_EDGE: Final = re.compile(r"[{};]")
_SIMPLE: Final = re.compile(r"(?:[a-z][\w-]*|\*)?(?:[.#][\w-]+)*", re.IGNORECASE)
_STATE: Final = re.compile(r"::?[\w-]+(?:\([^()]*\))?|\[[^\]]*\]?")  # and attributes
_JOINT: Final = re.compile(r"[ >+~]")
_PART: Final = re.compile(r"[.#]?[\w-]+")
_EVERYWHERE: Final = frozenset(("", "all", "screen", "only screen"))  # media
_HIDING: Final[Mapping[str, frozenset[str]]] = {
    "display": frozenset(("none",)),
    "visibility": frozenset(("hidden", "collapse")),
    "content-visibility": frozenset(("hidden",)),
}
_WHOLE: Final = frozenset(("html", "body"))  # are hidden until a script shows them
# However many there are, an element is compared with few: so the work is no product of both.
_MOST_PARTS: Final = 4  # of a selector
_MOST_SELECTORS: Final = 32  # of one class, id or name


class _Weight(NamedTuple):
    """What decides which of two declarations for one element holds: CSS's cascade."""

    is_important: bool
    ids: int
    classes: int
    names: int
    order: int


class _Said(NamedTuple):
    """What a sheet says of a property."""

    weight: _Weight
    is_hiding: bool


@dataclass(slots=True, eq=False)
class _Block:
    """A block that is not closed yet.

    Attributes:
        selectors: of a rule; None for what holds rules.
        is_sure: whether what it says holds on every screen, and not only within something else.
        is_passed: whether it is not looked at.
        rule: the rule that it is, or stands in.
        said: by property, whether it is important, and whether it hides.
    """

    selectors: str | None = None
    is_sure: bool = True
    is_passed: bool = False
    rule: _Block | None = None
    said: dict[str, tuple[bool, bool]] = field(default_factory=dict)


class Sheets:
    """The style sheets of a page.

    Args:
        texts: of its sheets, in their order.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        # By one part of a selector and by all of them, what is said of each property.
        self._rules: dict[str, dict[frozenset[str], dict[str, _Said]]] = {}
        blocks = (block for text in texts for block in _read(text))
        for order, block in enumerate(blocks):
            for selector in (block.selectors or "").split(","):
                self._take(" ".join(unescaped(selector).split()), block, order)
        for key in [one for one, rules in self._rules.items() if len(rules) > _MOST_SELECTORS]:
            del self._rules[key]  # no page for people has so many, and what they hide is read

    def __bool__(self) -> bool:
        return bool(self._rules)

    def hides(self, node: Any) -> bool:  # noqa: ANN401  # the parser names no type for it
        """Return whether a sheet switches an element off."""
        if not self._rules or node.name in _WHOLE:
            return False
        attributes = node.attrs or {}
        classes = str(attributes.get("class") or "").split()
        own = {node.name, *(f".{one}" for one in classes), f"#{attributes.get('id') or ''}"}
        found: dict[str, _Said] = {}
        for key in own & self._rules.keys():
            for parts, said in self._rules[key].items():
                if parts <= own:
                    for name, one in said.items():
                        found[name] = max(found.get(name, one), one)
        hiding = {name: one.weight for name, one in found.items() if one.is_hiding}
        style = declarations(str(attributes.get("style") or "")) if hiding else {}
        return any(weight.is_important or name not in style for name, weight in hiding.items())

    def _take(self, selector: str, block: _Block, order: int) -> None:
        """Take what a rule says of one of its selectors."""
        bare = _JOINT.split(_STATE.sub("", selector).strip())[-1]
        parts = [part if part[0] in ".#" else part.lower() for part in _PART.findall(bare)]
        is_sure = block.is_sure and len(parts) <= _MOST_PARTS and bool(_SIMPLE.fullmatch(selector))
        ids, classes = (sum(part[0] == mark for part in parts) for mark in "#.")
        own = frozenset(parts[-_MOST_PARTS:])
        if not own:
            return
        key = max(own, key=lambda part: (part[0] == "#", part[0] == ".", part))
        for name, (is_important, is_hiding) in block.said.items():
            if is_hiding and not is_sure:
                continue
            weight = _Weight(is_important, ids, classes, len(parts) - ids - classes, order)
            said, one = (
                self._rules.setdefault(key, {}).setdefault(own, {}),
                _Said(weight, is_hiding),
            )
            said[name] = max(said.get(name, one), one)


def is_sheet(attributes: Mapping[str, Any]) -> bool:
    """Return whether a `<style>` with such attributes is a sheet that holds on every screen."""
    kind, media = (str(attributes.get(name) or "").strip().lower() for name in ("type", "media"))
    return kind in ("", "text/css") and media in _EVERYWHERE


def _read(text: str) -> Iterator[_Block]:
    """Yield the rules of a sheet that say something of what is looked at; one that does not end ends with the sheet."""
    text = _ASIDE.sub(" ", text)
    blocks = [_Block()]
    start = 0
    for edge in _EDGE.finditer(text):
        said, start, block = text[start : edge.start()].strip(), edge.end(), blocks[-1]
        if edge[0] == "{":
            blocks.append(_opened(said, block))
            continue
        _note(block, said)
        if edge[0] == "}" and len(blocks) > 1:
            yield from _closed(blocks.pop())
    _note(blocks[-1], text[start:])
    for block in reversed(blocks):
        yield from _closed(block)


def _closed(block: _Block) -> Iterator[_Block]:
    if block.selectors is not None and block.said:
        yield block


def _opened(said: str, within: _Block) -> _Block:
    """Return the block that begins behind some words."""
    passed, rule = within.is_passed, within.rule
    if not said.startswith("@"):
        block = _Block(said, within.is_sure and rule is None, passed)
        block.rule = block
        return block
    word, _, rest = said.lower().partition(" ")
    if word == "@layer" or (word == "@media" and rest.strip() in _EVERYWHERE):
        return _Block(None, within.is_sure, passed, rule)
    is_looked_at = word in ("@media", "@supports", "@container") and "print" not in rest
    return _Block(None, False, passed or not is_looked_at, rule)


def _note(block: _Block, said: str) -> None:
    """Note what a block declares, if it is looked at."""
    name, _, value = unescaped(said).lower().partition(":")
    name, (value, mark, _) = name.strip(), value.partition("!")
    if block.is_passed or block.rule is None or name not in _HIDING or not value.strip():
        return
    one = bool(mark), value.strip() in _HIDING[name]
    if block is not block.rule:  # said of a rule, and holds on some screens only
        block.rule.is_sure = False
    elif one[0] or not block.said.get(name, one)[0]:
        block.said[name] = one
