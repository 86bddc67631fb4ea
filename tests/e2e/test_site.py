"""What the site generates from the code; `make docs` builds it whole, and fails on any broken link."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentcl.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    spec = spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_is_described(generated: Any) -> None:
    page = generated.on_page_markdown("<!-- commands -->")
    every = dict(generated.walk(main, "agentcl"))
    assert len(every) > 30
    for path, command in every.items():
        assert (
            f"## `{path}` {{ #{path.replace(' ', '-')} }}\n\n{command.help.splitlines()[0]}" in page
        )


def test_every_room_has_a_page(generated: Any) -> None:
    inner = {"text", "cli", "wire"}  # for nobody outside
    rooms = {path.parent.name for path in (ROOT / "agentcl").glob("*/__init__.py")} - inner
    assert rooms | {"errors"} == set(generated.ROOMS)
    for room in generated.ROOMS:
        page = (ROOT / "docs" / "reference" / f"{room}.md").read_text("utf-8")
        assert f"::: agentcl.{room}." in generated.on_page_markdown(page)


def test_every_public_name_is_described(generated: Any) -> None:
    import agentcl

    page = generated.on_page_markdown("<!-- names of agentcl -->")
    for name in agentcl.__all__:
        assert f"`{name}`" in page or name in ("__version__", "errors"), name


def test_the_tree_of_errors_is_shown_as_it_is(generated: Any) -> None:
    page = generated.on_page_markdown("<!-- tree of errors -->")
    assert page.startswith("```text\nAgentclError\n├── ")


def test_a_site_that_needs_a_network_is_refused(generated: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<a href="https://example.org">a link is nothing that is loaded</a>')
    generated.on_post_build({"site_dir": tmp_path})
    page.write_text('<script src="https://example.org/a.js"></script>')
    with pytest.raises(SystemExit, match=r"example\.org"):
        generated.on_post_build({"site_dir": tmp_path})
