"""The house itself: what is exported, what an import costs, what the pages say."""

import importlib
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

import agentcl

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
# A block, and the text right behind it, if there is one: what it prints.
SHOWN = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)
HEAVY = {"numpy", "torch", "sentence_transformers", "chromadb", "openai", "transformers", "asyncio"}


def python(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PATH": "", "AGENTCL_ENCODER": "hashing"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_names_are_sorted_complete_and_documented() -> None:
    names = list(agentcl.__all__)
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    for name in agentcl.__all__:
        assert getattr(agentcl, name).__doc__ or name in ("ANY", "UNCHANGED"), name
    assert set(names) <= set(dir(agentcl))
    with pytest.raises(AttributeError, match="no attribute 'Memoir'"):
        getattr(agentcl, "Memoir")  # noqa: B009  # mypy knows that it is not there


ROOMS = [path.parent.name for path in sorted((ROOT / "agentcl").glob("*/__init__.py"))]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_hands_out_what_its_face_names(room: str) -> None:
    face = importlib.import_module(f"agentcl.{room}")
    modules = {path.stem for path in (ROOT / "agentcl" / room).iterdir()}
    for name in getattr(face, "__all__", ()):
        assert getattr(face, name) is not None
        assert name in dir(face)
        assert name not in modules, "who imports the module first would get that"


def test_an_import_is_light_and_leaves_no_trace(tmp_path: Path) -> None:
    loaded = python("import agentcl, sys; print(*sys.modules)", tmp_path).split()
    assert not HEAVY & set(loaded)
    assert list(tmp_path.iterdir()) == []


def test_a_memory_is_filled_and_read_without_what_only_a_search_needs(tmp_path: Path) -> None:
    code = """
import sys
from agentcl import Memory
with Memory("m", encoder="hashing") as memory:
    added = memory.add("The ferry leaves at seven.")
    assert memory.get(added.id).text == memory.list()[0].text
    print(*sys.modules)
    memory.search("ferry")
    assert "numpy" in sys.modules
"""
    loaded = set(python(code, tmp_path).split())
    assert not loaded & {
        "numpy",
        "socket",
        "agentcl.retrieval.retriever",
        "agentcl.retrieval.extracting.cues",
    }


def test_a_command_that_reads_no_files_loads_nothing_that_reads_them(tmp_path: Path) -> None:
    code = """
import sys
from agentcl import Memory
from agentcl.cli.main import main
with Memory("m", encoder="hashing") as memory:
    memory.add("The ferry leaves at seven.")
main(["list", "--path", "m"], standalone_mode=False)
print(*sys.modules)
"""
    loaded = python(code, tmp_path).split()
    assert "agentcl.cli.memory" in loaded
    assert not {"numpy", "pathspec", "agentcl.files.folder"} & set(loaded)


def test_a_memory_works_without_any_optional_part(tmp_path: Path) -> None:
    code = """
import sys
for name in ("torch", "sentence_transformers", "chromadb", "usearch", "openai", "httpx", "jsonschema"):
    sys.modules[name] = None
import ast
import importlib
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if sys.modules.get(name, 0) is None else find_spec(name, *rest)
from agentcl import Memory, MissingExtra
from agentcl.retrieval.encoders import open_encoder
with Memory("m") as memory:
    memory.add("The ferry leaves at seven.")
    recall = memory.search("ferry")
    print(recall.hits[0].text, recall.indexes[0], recall.is_lexical)
for name, extra in (("minilm", "local"), ("openai:m@http://localhost:1/v1", "openai")):
    try:
        open_encoder(name)
    except MissingExtra as error:
        print(error)
for name in ("chroma", "usearch"):
    try:
        Memory("m", index=name).search("ferry")
    except MissingExtra as error:
        print(error)
with Memory("m", index="usearch") as memory:
    report = memory.store.examine()
    print(report.rows, *(problem.message for problem in report.problems), sep="|")
"""
    printed = python(code, tmp_path)
    assert "The ferry leaves at seven. exact True" in printed
    told = "needs an optional part: pip install 'agentcl[usearch]'. Until then the memory is stored"
    assert f"\n2|index usearch: the index 'usearch' {told}, and not searched; or choose" in printed
    for extra in ("local", "openai", "chroma", "usearch"):
        assert f"pip install 'agentcl[{extra}]'" in printed


def test_extras_that_errors_name_exist() -> None:
    declared = {
        found.group(1)
        for line in requires("agentcl") or []
        if (found := re.search(r'extra == [\'"]([a-z]+)[\'"]', line))
    }
    named = {
        extra
        for path in (ROOT / "agentcl").rglob("*.py")
        for extra in re.findall(r'MissingExtra\([^)]*, "([a-z]+)"\)', path.read_text("utf-8"))
    }
    assert named
    assert named <= declared


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """The blocks of one page run one after the other, as a reader would paste them.

    A block of text right behind one is what it prints.
    """
    shown = SHOWN.findall(page.read_text("utf-8"))
    if shown:
        printed = python("\nprint(chr(0))\n".join(code for code, _ in shown), tmp_path).split(
            "\0\n"
        )
        for (_, promised), text in zip(shown, printed, strict=True):
            assert not promised or text == promised


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("url", ["", "https://example.org/who/agentcl/"])
def test_no_link_of_the_package_index_leads_nowhere(url: str) -> None:
    build = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert build is not None
    assert build.loader is not None
    hook = importlib.util.module_from_spec(build)
    build.loader.exec_module(hook)
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = hook.index_page(readme, url)
    links = re.findall(r"\]\(([^)]+)\)", shown)
    assert all(link.startswith("https://") for link in links), links
    relative = re.findall(r"\]\((?!https?:)([^)]+)\)", readme)
    assert relative
    for target in relative:
        assert (f"/HEAD/{target})" in shown) == bool(url)
        assert (ROOT / target).exists()
    assert bool(hook.urls(url)) == bool(url)


def test_the_first_pages_use_the_folder_that_the_command_line_opens() -> None:
    from agentcl.memory.settings import resolve

    folder = str(resolve({}, environment={}, start=Path("/"))["path"].value)
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        assert set(re.findall(r'Memory\("([^"]+)"\)', page.read_text("utf-8"))) == {folder}


def test_the_readme_shows_first_what_is_needed_first() -> None:
    """A sentence, how to install, ten lines and what they print, the picture, two commands, a table."""
    text = (ROOT / "README.md").read_text("utf-8")
    (code, printed), *others = SHOWN.findall(text)
    assert not others
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert printed
    order = [
        "**agentcl gives",
        "pip install agentcl\n",
        code,
        printed,
        "![",
        "make demo",
        "make test",
    ]
    places = [text.index(part) for part in [*order, "<!-- measured: summary -->"]]
    assert places == sorted(places)
    assert re.findall(r"^make \w+", text, re.MULTILINE) == ["make demo", "make test"]
    table = text[places[-1] : text.index("<!-- end -->")]
    assert 1 <= sum(line.startswith("|") for line in table.splitlines()) - 2 <= 8
    assert "2606.02461" in text


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "howto" / "configuration.md").read_text("utf-8")
    from agentcl.memory.settings import resolve

    for name in resolve({}, environment={}, start=Path("/")):
        assert f"`{name}`" in text
        assert f"AGENTCL_{name.upper()}" in text


def test_root_links_lead_into_the_package() -> None:
    for name in ("memory", "retrieval", "envs"):
        link = ROOT / name
        if not link.is_symlink():  # a source distribution leaves them out
            pytest.skip("not a checkout")
        assert link.resolve() == (ROOT / "agentcl" / name).resolve()


def test_measured_tables_are_those_of_the_committed_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    assert spec is not None
    assert spec.loader is not None
    report = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(report)
    for page in report.PAGES:
        text = page.read_text("utf-8")
        assert "<!-- measured:" in text
        assert text == report.filled(text), f"run: python benchmarks/report.py ({page.name})"
