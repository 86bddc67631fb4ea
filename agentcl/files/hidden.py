"""What a page hides from its readers, as far as the element itself says so.

What style sheets hide is told by `sheets.py`. Scripts are not looked at: they may hide more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_LENGTH: Final = re.compile(r"([+-]?(?:\d{1,9}\.?\d{0,9}|\.\d{1,9}))([a-z]{0,4}|%)")
# What a unit is in pixels, about; shares of something are taken of a hundred pixels.
_PIXELS: Final[Mapping[str, float]] = {
    "": 1, "px": 1, "pt": 1.3, "pc": 16, "em": 16, "rem": 16, "ex": 8, "ch": 8,
    "cm": 38, "mm": 3.8, "in": 96, "%": 1, "vw": 10, "vh": 10,
}  # fmt: skip
_TINY: Final = 2  # pixels of a letter that nobody reads
_AWAY: Final = -500  # pixels to the left or above
_SIDES: Final = ("left", "top", "right", "bottom", "margin-left", "margin-top", "text-indent")
_NOTHING: Final = re.compile(
    r"rect\([\s,]*(?:[01](?:px)?[\s,]+){3}[01](?:px)?\s*\)|inset\(\s*(?:50|100)%|circle\(\s*0"
)
_FAR: Final = re.compile(
    r"translate(?:x|y|3d)?\([^()]{0,40}-\d{3,9}(?:px|%|vw|vh|em)|scale(?:x|y)?\(\s*0+\.?0*\s*[,)]"
)
_SAME: Final = 12  # of 255
_COLOURS: Final = {"white": "#ffffff", "black": "#000000"}
_OLD_COLOURS: Final = (("color", "color"), ("background-color", "bgcolor"))  # as attributes
_RGB: Final = re.compile(
    r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*(?:[,/]\s*([\d.]{1,9}%?)\s*)?\)"
)
_HEX: Final = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")


def is_hidden(node: Any, behind: str = "") -> bool:  # noqa: ANN401  # the parser names no type for it
    """Return whether an element, with all that is in it, is not to be seen by who reads its page.

    Args:
        node: an element.
        behind: the colour behind it, as `background` returns it; empty if it is not known.
    """
    attributes = node.attrs or {}
    if "hidden" in attributes or (
        node.name == "input" and str(attributes.get("type")).lower() == "hidden"
    ):
        return True
    style = _style(node)
    return bool(style) and (
        _is_switched_off(style)
        or _has_no_size(style)
        or _is_elsewhere(style)
        or _is_invisible(style, background(node) or behind)
    )


def background(node: Any) -> str:  # noqa: ANN401  # as above
    """Return the colour that an element puts behind its text; empty if it says none."""
    style = _style(node)
    plain = style.get("background-color") or next(iter(style.get("background", "").split()), "")
    return _colour(plain) if plain != "transparent" else ""


def _style(node: Any) -> dict[str, str]:  # noqa: ANN401  # as above
    """Return the declarations of an element's own style, and of its attributes, in small letters."""
    attributes = node.attrs or {}
    written = str(attributes.get("style") or "")
    found = {
        name: str(attributes.get(old) or "").lower()
        for name, old in _OLD_COLOURS
        if old in attributes
    }
    return {**found, **declarations(written)}


def declarations(written: str) -> dict[str, str]:
    """Return what a style declares, in small letters; `!important` is left out."""
    if not written:
        return {}
    first, *rest = written.split("/*")
    bare = first + "".join(piece.partition("*/")[2] for piece in rest)
    found: dict[str, str] = {}
    for declaration in unescaped(bare).lower().split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = value.replace("!important", "").strip()
    return found


def unescaped(text: str) -> str:
    """Return a piece of a style with the characters that its escapes stand for."""
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1] or "0", 16)
    return found[2] or (chr(code) if 0 < code < 0x110000 else "")


def _is_switched_off(style: Mapping[str, str]) -> bool:
    opacity = _pixels(style.get("opacity", ""))
    return (
        style.get("display") == "none"
        or style.get("visibility") in ("hidden", "collapse")
        or style.get("content-visibility") == "hidden"
        or (opacity is not None and opacity < 0.05)
    )


def _has_no_size(style: Mapping[str, str]) -> bool:
    font = style.get("font", "").split()[:-1]  # a family comes last; a size stands before any "/"
    sizes = (_pixels(size.partition("/")[0]) for size in (style.get("font-size", ""), *font))
    if any(size is not None and size < _TINY for size in sizes):
        return True
    is_cut = any(
        value.split()[:1] in (["hidden"], ["clip"])
        for name, value in style.items()
        if name in ("overflow", "overflow-x", "overflow-y")
    )
    sides = (
        _pixels(style.get(name, "")) for name in ("width", "height", "max-width", "max-height")
    )
    return is_cut and any(side is not None and side <= 1 for side in sides)


def _is_elsewhere(style: Mapping[str, str]) -> bool:
    places = (_pixels(style.get(name, "")) for name in _SIDES)
    return (
        any(place is not None and place <= _AWAY for place in places)
        or any(_NOTHING.match(style.get(name, "")) for name in ("clip", "clip-path"))
        or _FAR.search(style.get("transform", "")) is not None
    )


def _is_invisible(style: Mapping[str, str], behind: str) -> bool:
    colour = _colour(style.get("color", ""))
    return colour == "transparent" or (bool(colour) and _are_alike(colour, behind))


def _are_alike(one: str, other: str) -> bool:
    """Return whether nobody tells two colours from one another."""
    if not (one.startswith("#") and other.startswith("#")):
        return one == other
    parts = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return all(abs(first - second) <= _SAME for first, second in parts)


def _pixels(length: str) -> float | None:
    """Return about how many pixels a length is; None if it is none."""
    found = _LENGTH.fullmatch(length)
    unit = _PIXELS.get(found[2]) if found else None
    return None if found is None or unit is None else float(found[1]) * unit


def _colour(value: str) -> str:
    """Return a colour as `#rrggbb`, "transparent", or the name that it has; empty for what is none."""
    rgb = _RGB.fullmatch(value)
    if rgb:
        if rgb[4] and not rgb[4].strip("0.%"):
            return "transparent"
        return "#" + "".join(f"{min(int(part), 255):02x}" for part in rgb.groups()[:3])
    if _HEX.fullmatch(value):
        digits = value[1:] if len(value) > 5 else "".join(2 * digit for digit in value[1:])
        return "transparent" if digits[6:] == "00" else f"#{digits[:6]}"
    return _COLOURS.get(value, value if value.isalpha() else "")
