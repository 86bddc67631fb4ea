"""The graph through the command line: import, look, draw, export; and what it says when it cannot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentcl.cli.main import main

TEXTS = {
    "ferry": "The evening boat to Tessary is steered by Ilka Renn.",
    "life": "Ilka Renn was born in Upper Mossling, and learned at sea.",
    "hills": "Upper Mossling lies in the hills; sheep are kept there.",
}
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    for name, text in TEXTS.items():
        (tmp_path / f"{name}.txt").write_text(text)
    runner = CliRunner()

    def call(*arguments: str, status: int = 0) -> Result:
        result = runner.invoke(main, list(arguments), catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    call("add", *(f"{name}.txt" for name in TEXTS))
    return call


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


def test_facts_are_imported_and_seen(run: Run, tmp_path: Path) -> None:
    row = {"title": "ferry", "text": TEXTS["ferry"], "facts": [["boat", "goes to", "Tessary"]]}
    (tmp_path / "facts.jsonl").write_text(json.dumps(row) + '\n{"text": "unknown", "facts": []}\n')
    result = run("graph", "import", "facts.jsonl")
    assert "1 fact for 1 passage" in result.stdout
    assert "1 of 2 texts are not in this memory, e.g. “unknown”" in result.stderr
    stats = as_json(run("graph", "stats", "--json"))
    assert (stats["passages"], stats["facts"], stats["fact_edges"]) == (3, 1, 1)
    near = run("graph", "neighbors", "tessary").stdout
    assert "boat | goes to | Tessary" in near
    (tmp_path / "bad.tsv").write_text("a\tb\n")
    assert "has 2 columns" in run("graph", "import", "bad.tsv", status=1).stderr


def test_ways_between_phrases_are_found_or_not(run: Run) -> None:
    way = as_json(run("graph", "path", "Tessary", "Upper Mossling", "--json"))
    assert [node["name"] for node in way][::2] == ["tessary", "ilka renn", "upper mossling"]
    assert "Upper Mossling".casefold() in run("graph", "path", "tessary", "Upper Mossling").stdout
    missing = run("graph", "path", "Tessary", "Upper Mosling", status=1)
    assert "spelt like it: upper mossling" in missing.stderr


@pytest.mark.parametrize("name", ["graph.graphml", "graph.json"])
def test_an_export_is_read_by_networkx(run: Run, tmp_path: Path, name: str) -> None:
    import networkx as nx

    run("graph", "export", name)
    if name.endswith("json"):
        graph = nx.node_link_graph(json.loads((tmp_path / name).read_text()), edges="edges")
    else:
        graph = nx.read_graphml(tmp_path / name)
    kinds = [data["kind"] for _, data in graph.nodes(data=True)]
    assert kinds.count("passage") == 3
    assert all(data["passages"] for _, _, data in graph.edges(data=True))
    assert nx.has_path(nx.Graph(graph), "phrase:tessary", "phrase:upper mossling")


def test_pictures_show_what_is_asked_for(run: Run, tmp_path: Path) -> None:
    run("graph", "draw", "near.html", "--phrase", "Ilka Renn")
    page = (tmp_path / "near.html").read_text()
    assert "<svg" in page
    assert "ilka renn" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # nothing is fetched
    run("graph", "draw", "ways.svg", "--query", "who steers the evening boat?")
    assert "ilka renn" in (tmp_path / "ways.svg").read_text()
    for file in ("near.txt", "near.png"):
        refused = run("graph", "draw", file, "--phrase", "Ilka Renn", status=1)
        assert ".html or .svg" in refused.stderr
        assert not (tmp_path / file).exists()
    refused = run("graph", "draw", "near.html", status=1)
    assert "give one of them" in refused.stderr


def test_the_chain_to_a_hit_is_printed(run: Run) -> None:
    question = "who steers the evening boat?"
    shown = run("search", question, "--mode", "graph", "--explain").stdout
    assert "→ ilka renn →" in shown
    found = as_json(run("search", question, "--mode", "graph", "--explain", "--json"))
    assert len(found["explanations"]) == len(found["hits"])
    assert found["way"].startswith("push")


def test_extraction_says_what_it_would_take_and_where_a_model_is_needed(
    run: Run, tmp_path: Path
) -> None:
    plan = run("extract", "--model", "gpt-4o-mini", "--dry-run").stdout
    assert plan.startswith("3 of 3 passages to read: about ")
    prices = tmp_path / "prices.toml"
    prices.write_text('["gpt-4o*"]\nprompt = 1000.0\ncompletion = 1000.0\n')
    estimate = as_json(
        run("extract", "--model", "gpt-4o-mini", "--dry-run", "--prices", str(prices), "--json")
    )["estimate"]
    tokens = estimate["prompt_tokens"] + estimate["completion_tokens"]
    assert estimate["price"] == pytest.approx(tokens / 1000)
    assert "--url" in run("extract", "--model", "gpt-4o-mini", status=1).stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        nowhere = run("extract", "--model", "x", "--url", "http://127.0.0.1:9/v1", status=1)
    assert "check that the server runs" in nowhere.stderr
    assert "3 of 3" in run("extract", "--model", "x", "--dry-run").stdout
    assert "1 of 3" in run("extract", "--model", "x", "--dry-run", "--limit", "1").stdout


def test_two_names_are_joined_and_parted(run: Run) -> None:
    told = run("graph", "alias", "Ilka Renn", "Captain Renn")
    assert told.stdout == "one thing: Captain Renn, Ilka Renn\n"
    assert "agentcl graph unalias 'Ilka Renn' 'Captain Renn'" in told.stderr
    assert "Ilka Renn = Captain Renn" in run("graph", "aliases", "captain renn").stdout
    assert "  also named: captain renn\n" in run("graph", "neighbors", "Captain Renn").stdout
    assert "Ilka Renn was born" in run("search", "Where was Captain Renn born?").stdout
    refused = run("graph", "alias", "Ilka Renn", "ilka renn", status=1)
    assert "are one name already" in refused.stderr
    run("graph", "unalias", "Captain Renn", "Ilka Renn")
    assert as_json(run("graph", "aliases", "--json")) == []
    run("graph", "neighbors", "Captain Renn", status=1)
