"""How the house is built: which room may import which, and what stands where.

Every import counts, also one inside a function or for types only.
"""

import ast
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "agentcl"

# By room, the rooms that it may import; itself always. Read from the ground up.
ARROWS: Final[Mapping[str, str]] = {
    "errors": "",
    "text": "errors",
    "process": "errors",
    "lessons": "errors text",
    "store": "errors text",
    "files": "errors process store text",
    "models": "errors process store text",
    "envs": "errors lessons process text",
    "retrieval": "errors process store text",
    "guidance": "errors lessons store text",
    "jobs": "errors process store text",
    "statements": "errors models retrieval store text",
    "compression": "errors models store text",
    "memory": "compression errors files guidance jobs lessons models retrieval statements store text",
    "agents": "envs errors guidance lessons memory models retrieval statements store text compression",
    "consolidation": "agents errors guidance jobs lessons memory models process retrieval statements store text",
    "bench": "agents envs errors guidance jobs lessons memory models process retrieval statements store text compression",
    "mcp": "errors lessons memory retrieval store text",
    "wire": "errors guidance jobs lessons memory models retrieval statements store text compression",
    "client": "errors guidance lessons memory models retrieval statements store text wire compression",
    "server": "errors jobs lessons mcp memory models retrieval statements store text wire compression",
    "cli": "agents bench consolidation envs errors files guidance jobs lessons mcp memory models process retrieval server statements store text compression",
    "testing": "agents envs errors files guidance jobs lessons memory models process retrieval statements store text compression",
}

# The same for the folders of a large room. What stands beside the folders may import any, and they it.
FOLDERS: Final[Mapping[str, Mapping[str, str]]] = {
    "retrieval": {"encoders": "", "extracting": "", "words": "", "vectors": "", "graph": "vectors"},
    "guidance": {"meaning": "", "evidence": "meaning", "progress": "evidence meaning"},
    "statements": {"dates": "", "english": "dates", "digesters": "dates english"},
    "memory": {
        "documents": "",
        "lessons": "",
        "statements": "",
        "conversations": "documents statements",
        "facts": "documents",
        "compressed": "documents",
        "adapters": "lessons",
        "episodes": "adapters lessons",
        "context": "compressed conversations statements",
        "upkeep": "adapters compressed documents facts lessons statements",
    },
    "consolidation": {"rows": "", "methods": "rows"},
}
MOST_MODULES: Final = 30  # of one folder: who looks for something reads so many names


@cache
def trees() -> Mapping[str, ast.Module]:
    """Return every module of the package, by its name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text("utf-8")
        )
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each import of ours: the module, and the name taken from it, if one is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        yield from (pair for pair in found if pair[0].split(".")[0] == "agentcl")


def is_face(name: str) -> bool:
    """Return whether a module only says where the names of a room are, for when they are asked for."""
    return name == "agentcl" or any(
        pair == ("agentcl", "_face") for pair in imported(trees()[name])
    )


@cache
def named_by(face: str) -> Mapping[str, str]:
    """Return where the names of a face are."""
    return {name: home(module, name) for module, name in imported(trees()[face])}


def home(module: str, name: str) -> str:
    """Return the module that an import reaches in the end, through submodules and faces."""
    if name and f"{module}.{name}" in trees():
        return f"{module}.{name}"
    if name != "_face" and module in trees() and is_face(module):
        return named_by(module).get(name, module)
    return module


def arrows() -> Iterator[tuple[str, str]]:
    """Yield each import between modules; the ground of all faces, `agentcl` itself, is none."""
    for module, tree in trees().items():
        if module == "agentcl":
            continue
        for target, name in imported(tree):
            reached = home(target, name)
            if reached not in ("agentcl", module):
                yield module, reached


def room(module: str) -> str:
    return module.split(".")[1]


def test_a_room_imports_only_what_lies_below_it() -> None:
    wrong: dict[str, set[str]] = defaultdict(set)
    for module, reached in arrows():
        allowed = {room(module), *ARROWS[room(module)].split()}
        if room(reached) not in allowed:
            wrong[module].add(reached)
    found = {module: " ".join(sorted(reached)) for module, reached in wrong.items()}
    assert found == {}


def folder(module: str) -> tuple[str, str]:
    """Return a module's room, and the folder of it that it stands in; empty for one beside the folders."""
    room, *rest = module.split(".")[1:]
    return room, rest[0] if rest and rest[0] in FOLDERS.get(room, ()) else ""


def test_a_folder_of_a_room_imports_only_what_lies_below_it() -> None:
    wrong: dict[str, set[str]] = defaultdict(set)
    for module, reached in arrows():
        (room, own), (other, its) = folder(module), folder(reached)
        if room == other and own and its and its not in {own, *FOLDERS[room][own].split()}:
            wrong[module].add(reached)
    found = {module: " ".join(sorted(reached)) for module, reached in wrong.items()}
    assert found == {}


@pytest.mark.parametrize("table", [ARROWS, *FOLDERS.values()], ids=["rooms", *FOLDERS])
def test_no_table_has_a_circle_itself(table: Mapping[str, str]) -> None:
    below: set[str] = set()
    for name, allowed in table.items():
        assert set(allowed.split()) <= below, name
        below.add(name)


def test_every_folder_is_in_a_table() -> None:
    for name, table in FOLDERS.items():
        folders = {path.parent.name for path in (PACKAGE / name).glob("*/__init__.py")}
        assert folders == set(table)


def test_a_folder_is_no_corridor() -> None:
    modules = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.stem != "__init__")
    crowded = {
        path.relative_to(PACKAGE).as_posix() for path in modules if modules[path] > MOST_MODULES
    }
    assert crowded == set()


def test_every_room_is_in_the_table() -> None:
    assert {room(module) for module in trees() if module != "agentcl"} <= set(ARROWS)


def test_a_module_fits_into_a_head() -> None:
    """The one that is longer holds the help of every verb of `Memory`."""
    lines = {
        path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8").count("\n")
        for path in PACKAGE.rglob("*.py")
    }
    assert {name for name, count in lines.items() if count > 500} == {"memory/memory.py"}


def circles() -> list[frozenset[str]]:
    """Return the sets of modules that reach one another (Tarjan 1972)."""
    reached: dict[str, set[str]] = {module: set() for module in trees()}
    for module, target in arrows():
        if not is_face(module):
            reached[module].add(target)
    place: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[frozenset[str]] = []

    def visit(module: str) -> None:
        place[module] = lowest[module] = len(place)
        open_.append(module)
        for target in sorted(reached[module]):
            if target not in place:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in open_:
                lowest[module] = min(lowest[module], place[target])
        if lowest[module] == place[module]:
            start = open_.index(module)
            if len(open_) - start > 1:
                found.append(frozenset(open_[start:]))
            del open_[start:]

    for module in reached:
        if module not in place:
            visit(module)
    return found


def test_no_modules_import_one_another() -> None:
    assert circles() == []


def test_no_type_is_ignored_for_a_circle() -> None:
    for path in PACKAGE.rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            _, ignore, reason = line.partition("# type: ignore")
            assert not (ignore and re.search(r"circ|cycl|import", reason, re.IGNORECASE)), path


def test_the_package_imports_nothing_that_is_not_shipped() -> None:
    outside = {"training", "tests", "benchmarks", "examples"}
    for module, tree in trees().items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not outside & {name.split(".")[0] for name in names}, module


def test_the_root_holds_rooms_and_the_ground_only() -> None:
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {
        "__init__.py",
        "errors.py",
        "lessons.py",
        "process.py",
        "py.typed",
    }


def test_a_class_name_means_one_thing_in_all_rooms() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for module, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(module)
    found = {
        name: frozenset(modules)
        for name, modules in homes.items()
        if len({room(module) for module in modules}) > 1
    }
    assert found == {}


def python_of(page: Path) -> str:
    """Return the Python that a page shows, or that a file is."""
    text = page.read_text("utf-8")
    if page.suffix == ".py":
        return text
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


SHOWN = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.py")),
]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_and_examples_import_faces_only(page: Path) -> None:
    found = [name for name, _ in imported(ast.parse(python_of(page))) if name.count(".") > 1]
    assert not found


def test_what_internals_names_is_there() -> None:
    page = (ROOT / "docs/internals.md").read_text("utf-8")
    told = re.sub(r"\n### Where the build differs.*?(?=\n## )", "", page, flags=re.DOTALL)
    named = re.findall(r"`(?:agentcl/)?([a-z_/]+/(?:[a-z_]+\.py)?)`", told)
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    ours = [name for name in named if name.split("/")[0] in rooms]
    assert len(ours) > 50
    assert [name for name in ours if not (PACKAGE / name).exists()] == []


def test_every_benchmark_stands_in_their_list() -> None:
    listed = re.findall(r"`(\w+\.py)`", (ROOT / "benchmarks/README.md").read_text("utf-8"))
    assert {*listed} == {path.name for path in (ROOT / "benchmarks").glob("*.py")}


@pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="needs a checkout, and git"
)
def test_no_memory_that_a_trial_left_lies_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = listed.stdout.decode("utf-8").split("\0")
    assert "README.md" in files
    assert [name for name in files if name.endswith(".db") or not name.isprintable()] == []
