"""One contract for every baseline; bad names and options; peers where they are installed."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentcl import InvalidInput
from agentcl.bench.baselines.base import Baseline, Item
from agentcl.bench.baselines.registry import PEERS, baseline_names, guidance_rules, open_baseline
from agentcl.errors import MissingPeer
from agentcl.text.terms import terms

LOCAL = [
    name.replace("K", "3")
    for name in baseline_names()
    if name not in PEERS and not guidance_rules(name)
]  # every baseline that needs no peer
UNSEARCHED = ("none", "full", "last-3", "transcripts-3", "notes-3", "oracle")
# Environments by the peer's name, as `benchmarks/parts/peers.py` keeps them.
ENVIRONMENTS = Path(os.environ.get("PEERS", Path(__file__).parents[3] / ".bench" / "environments"))
Open = Callable[..., Baseline]

ITEMS = [
    Item("ferry", "The ferry to Hallin leaves the eastern pier at seven."),
    Item("bread", "Rye bread is baked in the old mill on Saturdays."),
    Item("tide", "High water comes at noon.", title="Tables of the harbour"),
    Item("owl", "An owl nests under the roof of the granary."),
    Item("well", "Miners closed the deep well after the flood.", said_at=datetime(2024, 5, 1, tzinfo=UTC)),
]  # fmt: skip


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open baselines over the hashing encoder; they are closed in the end."""
    baselines: list[Baseline] = []

    def opener(name: str, **options: str | int | float | bool) -> Baseline:
        if name in PEERS:
            python = ENVIRONMENTS / name / "bin" / "python"
            if not python.exists():
                pytest.skip(f"{name} is not installed in {ENVIRONMENTS}")
            options["python"] = str(python)
        folder = tmp_path / f"baseline-{len(baselines)}"
        baselines.append(open_baseline(name, encoder="hashing", folder=folder, options=options))
        return baselines[-1]

    yield opener
    for baseline in baselines:
        baseline.close()


def ids(baseline: Baseline, query: str, limit: int) -> list[str]:
    return [item.id for item in baseline.recall(query, limit=limit)]


def passes_the_contract(baseline: Baseline) -> None:
    """What holds for every baseline, peers too."""
    assert baseline.recall("ferry", limit=3) == []
    baseline.add([])
    baseline.add(ITEMS[:2])
    baseline.add(ITEMS[2:])
    held = {item.id: item for item in ITEMS}
    for limit in (1, 2, 3, 10**12):
        found = baseline.recall("Where does the ferry to Hallin leave?", limit=limit)
        assert len(found) <= min(limit, len(ITEMS))
        assert len({item.id for item in found}) == len(found)
        assert all(held[item.id] == item for item in found)
    baseline.recall("qqq zzz xxx", limit=2)  # nothing of that is known
    # What comes again takes the place of the older one, even within one call.
    baseline.add(
        [
            Item("ferry", "A tram goes to Borrow."),
            Item("ferry", "The tram to Borrow stops at the mill."),
        ]
    )
    for item in baseline.recall("the tram to Borrow, the ferry to Hallin", limit=10):
        assert item.text != ITEMS[0].text
        assert item.text != "A tram goes to Borrow."
    json.dumps(dict(baseline.settings()))
    baseline.close()
    baseline.close()
    with pytest.raises(InvalidInput, match="closed"):
        baseline.recall("ferry", limit=1)
    with pytest.raises(InvalidInput, match="closed"):
        baseline.add(ITEMS)


@pytest.mark.parametrize("name", LOCAL)
def test_every_baseline_keeps_the_contract(name: str, opened: Open) -> None:
    baseline = opened(name)
    assert isinstance(baseline, Baseline)
    assert baseline.name == name
    passes_the_contract(baseline)


@pytest.mark.parametrize("name", LOCAL)
def test_what_no_memory_can_keep_is_refused_by_all_and_nothing_of_it_is_held(
    name: str, opened: Open
) -> None:
    baseline = opened(name)
    for item in (
        Item("", "no id"),
        Item("blank", " \n"),
        Item("half", "a lone \ud800 surrogate"),
        Item("naive", "no time zone", said_at=datetime(2024, 5, 1)),  # noqa: DTZ001  # that is the point
    ):
        with pytest.raises(InvalidInput):
            baseline.add([ITEMS[0], item])
    assert baseline.recall("ferry", limit=5) == []
    for query, limit in (("", 1), (" \n", 1), ("ferry", 0), ("ferry", -1), ("\udfff", 1)):
        with pytest.raises(InvalidInput):
            baseline.recall(query, limit=limit)


@pytest.mark.parametrize(
    "name", [*UNSEARCHED, "bm25", "ours", pytest.param("graph", marks=pytest.mark.slow)]
)
def test_odd_unicode_and_five_megabytes_are_held_as_they_are(name: str, opened: Open) -> None:
    baseline = opened(name)
    odd = Item(
        "odd\u202e🦉\n", "NUL \0 bidi \u202e owl 🦉 e\u0301 \u200d ﷽ 漢字 marmot", title="\u2028"
    )
    large = Item("large", "of tides and piers " * 263_000 + "marmot")
    assert len(large.text) > 4_990_000
    baseline.add([large, odd])
    found = baseline.recall("marmot 漢字", limit=2)
    assert all(item in (odd, large) for item in found)
    if name == "none":
        assert not found
    elif name == "full":
        assert found == [odd]  # the large one is longer than any context
    else:
        assert odd in found
    baseline.recall("pier " * 200_000, limit=2)


@pytest.mark.parametrize("name", [name for name in LOCAL if name not in UNSEARCHED])
def test_the_item_that_is_asked_for_comes_first(name: str, opened: Open) -> None:
    baseline = opened(name)
    baseline.add(ITEMS)
    for item in ITEMS:
        assert ids(baseline, f"{item.title} {item.text}", 3)[0] == item.id
    assert ids(baseline, "tables of the harbour", 1) == ["tide"]  # a title counts


@pytest.mark.parametrize("name", [name for name in LOCAL if name not in UNSEARCHED])
def test_an_item_of_many_passages_is_one_item(name: str, opened: Open) -> None:
    baseline = opened(name)
    pages = "\n\n".join(
        f"Page {n}: the lantern keeper wrote about lanterns again." * 15 for n in range(9)
    )
    baseline.add([Item("log", pages), Item("note", "The lantern keeper is away."), ITEMS[1]])
    assert set(ids(baseline, "What does the lantern keeper write?", 2)) == {"log", "note"}


@pytest.mark.parametrize("name", [name for name in LOCAL if name not in UNSEARCHED])
def test_two_items_that_say_the_same_are_two_items(name: str, opened: Open) -> None:
    baseline = opened(name)
    said = "Thanks, see you at the ferry!"
    baseline.add([Item("turn 3", said), *ITEMS[1:], Item("turn 9", said)])
    assert set(ids(baseline, said, 2)) == {"turn 3", "turn 9"}
    baseline.add([Item("turn 9", "Nobody came in the end.")])
    found = {item.id: item.text for item in baseline.recall(said, limit=1)}
    assert found == {"turn 3": said}


def test_none_remembers_nothing(opened: Open) -> None:
    baseline = opened("none")
    baseline.add(ITEMS)
    assert baseline.recall("ferry", limit=5) == []


def test_full_gives_the_newest_that_fit_newest_first(opened: Open) -> None:
    baseline = opened("full", budget_characters=30)
    baseline.add([Item(id, id * 10) for id in "abcd"])
    assert ids(baseline, "anything", 9) == ["d", "c", "b"]
    baseline.add([Item("a", "a" * 10), Item("too long", "x" * 31)])
    assert ids(baseline, "anything", 9) == ["a", "d", "c"]
    assert ids(baseline, "anything", 2) == ["a", "d"]


def test_last_gives_the_last_newest_first(opened: Open) -> None:
    baseline = opened("last-2")
    baseline.add(ITEMS)
    assert ids(baseline, "ferry", 9) == ["well", "owl"]
    assert ids(baseline, "ferry", 1) == ["well"]


def test_bm25_ranks_as_the_formula_does(opened: Open) -> None:
    """Robertson's BM25 with k1 = 1.2 and b = 0.75, computed here over the same terms."""
    texts = {
        "a": "lamp lamp lamp oil for the lamp",
        "b": "one lamp stood on the long table beside a jar of salt and a coil of rope near the door",
        "c": "a jar of oil",
        "d": "rope rope rope",
        "e": "the harbour master counts boats",
        "f": "boats wait for wind",
        "g": "wind and rain all week",
        "h": "gulls follow boats",
        "i": "salt is dear this year",
    }
    baseline = opened("bm25")
    baseline.add([Item(id, text) for id, text in texts.items()])
    bags = {id: Counter(terms(text)) for id, text in texts.items()}
    marks = 2  # terms of the index's own in every item
    mean = sum(bag.total() + marks for bag in bags.values()) / len(bags)

    def score(query: str, bag: Counter[str]) -> float:
        found = 0.0
        for term in set(terms(query)):
            documents = sum(term in other for other in bags.values())
            idf = math.log((len(bags) - documents + 0.5) / (documents + 0.5))
            length = 1 - 0.75 + 0.75 * (bag.total() + marks) / mean
            found += idf * bag[term] * 2.2 / (bag[term] + 1.2 * length)
        return found

    for query in ("lamp oil", "salt", "rope and salt", "boats in the wind", "jar"):
        scores = {id: score(query, bag) for id, bag in bags.items()}
        expected = [id for id in sorted(scores, key=lambda id: -scores[id]) if scores[id] > 0]
        assert ids(baseline, query, 9) == expected


def test_what_was_replaced_leaves_no_trace_in_bm25(opened: Open) -> None:
    once, twice = opened("bm25"), opened("bm25")
    once.add(ITEMS)
    twice.add([Item("ferry", "owl owl owl"), Item("bread", "owl")])
    twice.add(ITEMS)
    for query in ("owl", "the ferry leaves", "roof of the mill"):
        assert ids(twice, query, 9) == ids(once, query, 9)


@pytest.mark.parametrize("name", ["dense", "ours", "graph"])
def test_settings_name_the_encoder_and_the_mode(name: str, opened: Open) -> None:
    settings = opened(name, passage_limit=200).settings()
    assert settings["encoder"] == "hashing"
    assert settings["passage_limit"] == 200
    assert settings["mode"] == {"dense": "dense", "ours": "hybrid", "graph": "graph"}[name]


def test_neither_environment_nor_file_changes_a_baseline(
    opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agentcl.toml").write_text("passage_limit = 77\n")
    monkeypatch.setenv("AGENTCL_INDEX", "chroma")
    settings = opened("ours").settings()
    assert settings["passage_limit"] == 1_000
    assert settings["index"] == "exact"


def test_an_unknown_baseline_is_refused_with_the_names(tmp_path: Path) -> None:
    for name in ("bm52", "last-0", "last-K", "last-", "", "None"):
        with pytest.raises(
            InvalidInput, match=r"there is no baseline.*none, full, last-K, bm25.*mem0"
        ):
            open_baseline(name, encoder="hashing", folder=tmp_path / "baseline")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("bm25", {"k1": 2.0}, "takes no option 'k1'; its options: none"),
        ("ours", {"passage_limit": "long"}, "must be of type int"),
        ("ours", {"passage_limit": True}, "must be of type int"),
        ("full", {"budget_characters": 0}, "at least 1"),
        ("mem0", {"pythn": "x"}, "its options: python, timeout_s, bm25_model"),
    ],
)
def test_options_that_a_baseline_does_not_take_are_refused(
    name: str, options: dict[str, str | int | float | bool], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=said):
        open_baseline(name, encoder="hashing", folder=tmp_path / "baseline", options=options)
    assert not (tmp_path / "baseline").exists()


@pytest.mark.parametrize("name", ["none", "bm25", "ours", "mem0"])
def test_a_folder_that_holds_something_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "result").touch()
    with pytest.raises(InvalidInput, match="not empty"):
        open_baseline(name, encoder="hashing", folder=tmp_path)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_that_is_not_installed_says_how_to_install_it(name: str, tmp_path: Path) -> None:
    if find_spec(PEERS[name].imports) is not None:
        pytest.skip(f"{name} is installed here")
    with pytest.raises(MissingPeer, match=r"pip install.*python="):
        open_baseline(name, encoder="hashing", folder=tmp_path / "a")
    for python, folder in ((sys.executable, "b"), (str(tmp_path / "no-python"), "c")):
        with pytest.raises(MissingPeer, match="pip install"):
            open_baseline(
                name, encoder="hashing", folder=tmp_path / folder, options={"python": python}
            )


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_keeps_the_contract_where_it_is_installed(name: str, opened: Open) -> None:
    passes_the_contract(opened(name))


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_finds_what_is_asked_for(name: str, opened: Open) -> None:
    baseline = opened(name)
    baseline.add(ITEMS)
    for item in ITEMS:
        assert ids(baseline, f"{item.title} {item.text}", 2)[0] == item.id
    twins = [Item("one", "Two items say the same."), Item("two", "Two items say the same.")]
    baseline.add(twins)
    assert ids(baseline, "Two items say the same.", 2)[0] in (
        "one",
        "two",
    )  # some keep equal texts once
    assert baseline.settings()["encoder"] == "hashing"


def test_hipporag_takes_the_facts_that_it_is_given(opened: Open, tmp_path: Path) -> None:
    said = {
        ITEMS[0].text: [["ferry", "goes to", "Hallin"], ["ferry", "leaves", "eastern pier"]],
        ITEMS[1].text: [
            ["rye bread", "baked in", "old mill"],
            ["rye bread", "baked on", "Saturdays"],
        ],
        ITEMS[3].text: [["Ilka", "keeps", "owl"], ["owl", "nests under", "roof"]],
        ITEMS[4].text: [["miners", "closed", "deep well"], ["deep well", "closed after", "flood"]],
    }
    read = [
        {"passage": text, "extracted_entities": [], "extracted_triples": facts}
        for text, facts in said.items()
    ]
    (tmp_path / "facts.json").write_text(json.dumps({"docs": read}))
    baseline = opened("hipporag", facts=str(tmp_path / "facts.json"))
    baseline.add(ITEMS)
    assert baseline.settings()["passages_with_facts"] == len(said)
    assert ids(baseline, "What does Ilka keep?", 1) == ["owl"]  # a name that no passage has


def test_agentcl_does_not_import_its_benchmarks() -> None:
    code = "import sys, agentcl; sys.exit(any(m.startswith('agentcl.bench') for m in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
