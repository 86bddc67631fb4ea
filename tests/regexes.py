"""Every regular expression of the package, run on texts that grow: `python -P tests/regexes.py`.

Work is counted in processor time of this process, and compared with the same expression's on a shorter text: what is
linear takes three times as long on three times the text, what is quadratic nine times. It prints those that are worse.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import agentcl

ROOT = Path(agentcl.__file__).parent
CALLS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split")
TINY = (16, 24, 200)  # characters
SHORT, LONG = 2_000, 6_000
NOTICED_S = 0.004  # at SHORT; what is linear takes a hundredth of it
WORSE = 5.0  # times as long on three times the text
TRIES = (
    8  # a machine that is taken away for a moment makes one run slow, and not every one of these
)

PREFIXES = [
    "", "# a", "title:", "---\n", "```", "```json\n", "When a, ", "<a", "<a b=", "<think",
    "<answer>", "Thought", "answer", "ignore ", "show ", "[", "(", '"', "{", "1. ", "https://", "a@", "a", "/*", "rgb(",
]  # fmt: skip
UNITS = [
    "a", " ", "\n", "a ", ". ", "A. ", "# a\n", "===\n", "a\n===\n", "\u3002", "Aa ", "A-", "(", '"', "[A", "[INST", "1",
    "\t\n", "Mr. ", "\u0e01", "\u200d", "a\u0301", "-", "_", "#", "*", "`", "```", "```\n", "~~~\n", "---\n", "a, ", "'",
    "\\", "{", "<", "<a ", "<a b=", "<!--", "<!", "</", "&#", "<answer>", "<think>", "a.", "a:", "@", "a@", "://", "1-",
    "\r\n", "|", "/", "/*", "1 ", "0", "0,", "A ", "to the ", "ignore a ", "answer ",
]  # fmt: skip
SUFFIXES = ["", "!\n"]


def patterns() -> Iterator[tuple[str, re.Pattern[str], set[str]]]:
    """Yield each expression: where it is, itself, and the calls that it is used with."""
    for found in pkgutil.walk_packages([str(ROOT)], "agentcl."):
        if not found.name.startswith("agentcl.bench.peers") and not found.name.endswith("__main__"):
            yield from _of_module(found.name)


def _of_module(name: str) -> Iterator[tuple[str, re.Pattern[str], set[str]]]:
    path = ROOT.parent.joinpath(*name.split(".")).with_suffix(".py")
    if not path.is_file():
        return
    source = path.read_text("utf-8")
    if "import re\n" not in source:
        return
    module = importlib.import_module(name)
    for attribute, value in vars(module).items():
        for called, pattern in _within(attribute, value, 0):
            yield f"{name}.{attribute}", pattern, _used(called) or set(CALLS[:1])
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name("re"), attr=call),
                args=[ast.Constant(value=str(written)), *_],
            ) if call in CALLS:
                flags = re.findall(r"re\.([A-Z]+)", ast.unparse(node))
                made = re.compile(written, sum(getattr(re, flag) for flag in set(flags)))
                yield f"{name}, line {node.lineno}", made, {call}


def _within(name: str, value: object, depth: int) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the expressions that a value of a module holds, each with the name that it is called by."""
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield name, value
    elif depth < 4 and not inspect.isclass(value):
        inside: list[tuple[str, object]] = []
        if isinstance(value, dict):
            inside = [(name, one) for one in value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            inside = [(name, one) for one in value]
        elif hasattr(value, "__dataclass_fields__"):
            inside = [(one, getattr(value, one, None)) for one in value.__dataclass_fields__]
        for called, one in inside:
            yield from _within(called, one, depth + 1)


@cache
def _used(name: str) -> set[str]:
    """Return the calls that the package makes of an expression by its name."""
    call = re.compile(rf"\b{re.escape(name)}\.({'|'.join(CALLS)})\b")
    return {found for path in ROOT.rglob("*.py") for found in call.findall(path.read_text("utf-8"))}


def calls(pattern: re.Pattern[str], used: set[str]) -> dict[str, Callable[[str], object]]:
    """Return the ways of running an expression on a text that differ in what they cost."""
    ways: dict[str, Callable[[str], object]] = {}
    for name in used:
        if name in ("search", "match", "fullmatch"):
            ways[name] = getattr(pattern, name)
        else:
            ways["all"] = lambda text: sum(1 for _ in pattern.finditer(text))
    return ways


def cost(run: Callable[[str], object], text: str) -> float:
    """Return the seconds of this processor's time that a run takes."""
    start = time.thread_time()
    run(text)
    return time.thread_time() - start


def is_worse_than_linear(run: Callable[[str], object], text: Callable[[int], str]) -> bool:
    """Return whether a run takes far more than three times as long on three times the text."""
    for size in TINY:  # what is exponential never comes to the end of a longer one
        if is_noticed(run, text(size)):
            return True
    if not is_noticed(run, text(SHORT)):
        return False
    short = min(cost(run, text(SHORT)) for _ in range(3))
    return all(cost(run, text(LONG)) > WORSE * short for _ in range(TRIES))


def is_noticed(run: Callable[[str], object], text: str) -> bool:
    """Return whether a run takes longer than anything linear does, however often it is tried."""
    return all(cost(run, text) > NOTICED_S for _ in range(TRIES))


def slow_text(run: Callable[[str], object]) -> str | None:
    """Return the shape on which a run is worse than linear, if one is known."""
    for before in PREFIXES:
        for unit in UNITS:
            for after in SUFFIXES:

                def text(size: int, parts: tuple[str, str, str] = (before, unit, after)) -> str:
                    first, middle, last = parts
                    return first + middle * (size // len(middle)) + last

                if is_worse_than_linear(run, text):
                    return f"{before!r} + {unit!r} * n + {after!r}"
    return None


def main() -> None:
    warnings.simplefilter("ignore")
    seen: set[tuple[str, int, str]] = set()
    for where, pattern, used in patterns():
        for name, run in calls(pattern, used).items():
            if (pattern.pattern, pattern.flags, name) in seen:
                continue
            seen.add((pattern.pattern, pattern.flags, name))
            if (shape := slow_text(run)) is not None:
                print(f"{where}: {pattern.pattern[:60]!r} ({name}) on {shape}", flush=True)
    print(f"{len(seen)} looked at", flush=True)


if __name__ == "__main__":
    main()
