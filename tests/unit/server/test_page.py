"""The files of the page, and what the server says with them."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentcl import Memory
from agentcl.models import ScriptedModel
from agentcl.server import ServerSettings
from agentcl.server.endpoint import listening
from agentcl.server.page import FOLDER
from agentcl.statements import RuleDigester
from tests.served import served

WEB = Path(__file__).parents[3] / "web"
SINGLE = (
    "index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts",
)  # fmt: skip


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    with served(memory) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def hashed(root: Path, names: list[str]) -> str:
    """Return the hash that web/stamp.mjs writes down."""
    whole = hashlib.sha256()
    for name in sorted(names):
        digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
        whole.update(f"{name}\n{digest}\n".encode())
    return whole.hexdigest()


def below(root: Path, folder: str = ".") -> list[str]:
    paths = (root / folder).rglob("*")
    return [path.relative_to(root).as_posix() for path in paths if path.is_file()]


def test_the_built_files_are_those_of_the_sources() -> None:
    if not WEB.exists():  # a source distribution leaves it out
        pytest.skip("not a checkout")
    stamp = json.loads((FOLDER / "sources.json").read_text("utf-8"))
    sources = [*SINGLE, *below(WEB, "src"), *below(WEB, "public")]
    assert stamp["sources"] == hashed(WEB, sources), "run `make web`"
    built = [name for name in below(FOLDER) if name != "sources.json"]
    assert stamp["built"] == hashed(FOLDER, built), "run `make web`"


def test_no_lockfile_names_a_registry() -> None:
    if not WEB.exists():
        pytest.skip("not a checkout")
    text = (WEB / "package-lock.json").read_text("utf-8")
    assert '"integrity"' in text
    assert '"resolved"' not in text


def test_the_page_is_small() -> None:
    packed = sum(len(gzip.compress((FOLDER / name).read_bytes())) for name in below(FOLDER))
    assert packed < 200_000


def test_nothing_is_written_into_the_page() -> None:
    html = (FOLDER / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert "style=" not in html
    assert re.findall(r'(?:src|href)="(?!/page/)', html) == []


def test_a_browser_may_load_nothing_else(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_what_the_page_names_is_served_and_may_be_kept_forever(client: httpx.Client) -> None:
    names = re.findall(r'(?:src|href)="(/page/assets/[^"]+)"', client.get("/").text)
    assert len(names) >= 2
    for name in names:
        answer = client.get(name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].partition(";")[0] in ("text/javascript", "text/css")


@pytest.mark.parametrize(
    "name", ["", "none.js", "../page.py", "%2e%2e/page.py", "sources.json", "assets", "assets/../../app.py"]
)  # fmt: skip
def test_no_other_file_is_served(client: httpx.Client, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_the_page_learns_what_the_server_holds(memory: Memory) -> None:
    memory.add("Everybody's.")
    memory.scoped(user="ada").add("Ada's.")
    model = ScriptedModel(lambda messages: "So it is.")
    with (
        listening(model, "small") as upstream,
        served(memory, settings=ServerSettings(upstream=upstream)) as url,
        httpx.Client(base_url=url, headers={"x-agentcl-user": "ada"}, timeout=60) as client,
    ):
        told = client.get("/v1/page/about").json()
        assert told["models"] == ["small"]
        assert told["records"]["document"] == 2
        assert told["scope"] == {"user": "ada"}
        one, two = (client.get("/v1/page/model?name=small").json() for _ in range(2))
        assert one["fingerprint"] == two["fingerprint"]
        assert two["is_unchanged"]
        assert len(two["measured"]) == 2


def test_a_list_is_read_page_by_page_and_long_texts_are_cut(
    client: httpx.Client, memory: Memory
) -> None:
    for number in range(5):
        memory.add(f"{number} " + "long " * 200)
    told = client.get("/v1/page/records?offset=1&limit=2").json()
    assert told["total"] == 5
    assert [one["text"][0] for one in told["records"]] == ["3", "2"]
    assert max(len(one["text"]) for one in told["records"]) == 240
    assert client.get("/v1/page/records?limit=1000").status_code == 422
    assert client.get("/v1/page/records?kind=thing").json()["title"] == "InvalidInput"


def test_without_a_model_there_is_no_fingerprint(client: httpx.Client) -> None:
    answer = client.get("/v1/page/model?name=any")
    assert answer.status_code == 400
    assert "--upstream" in answer.json()["detail"]


def test_what_holds_and_lessons_are_read_page_by_page(client: httpx.Client, memory: Memory) -> None:
    for number in range(5):
        memory.statements.add(f"lamp {number}", "colour", "red")
        memory.lessons.add(f"When lamp {number} is dark, change the bulb.")
    held = client.get("/v1/page/statements?offset=1&limit=2").json()
    assert held["total"] == 5
    assert [one["subject"] for one in held["records"]] == ["lamp 3", "lamp 2"]
    memory.statements.add("lamp 0", "colour", "blue", since="2020-01-01")
    past = client.get("/v1/page/statements?limit=200&as_of=2001-01-01T00:00:00Z").json()
    assert "blue" not in [one["value"] for one in past["records"]]
    lessons = client.get("/v1/page/lessons?offset=3&limit=4").json()
    assert (lessons["total"], len(lessons["records"])) == (5, 2)
    assert lessons["records"][0]["guidance"]["what"] == "change the bulb"
    assert client.get("/v1/page/lessons?limit=1000").status_code == 422


def test_what_turns_state_comes_with_what_that_replaced(
    client: httpx.Client, memory: Memory
) -> None:
    ada, turns = memory.scoped(user="ada"), []
    for number, said in enumerate(("I live in Gent.", "I moved to Leuven.")):
        stored = ada.remember([{"role": "user", "content": said}], session=f"s{number}")
        turns.append(stored.turns[0].id)
    ada.statements.digest(RuleDigester())
    client.headers["x-agentcl-user"] = "ada"
    told = client.get("/v1/page/learned", params={"turns": turns[1]}).json()
    assert [one["value"] for one in told["statements"]] == ["Leuven"]
    assert [one["value"] for one in told["replaced"]] == ["Gent"]
    assert client.get("/v1/page/learned").status_code == 422


@pytest.mark.parametrize(("takes", "is_packed"), [
    ("gzip, deflate, br", True),
    ("br;q=1.0, GZIP;q=0.5", True),
    ("gzip;q=0", False),
    ("gzip;q=0.0, identity", False),
    ("identity", False),
    ("", False),
])  # fmt: skip
def test_files_travel_packed_to_who_reads_that(
    client: httpx.Client, takes: str, is_packed: bool
) -> None:
    asset = next(name for name in below(FOLDER) if name.endswith(".js"))
    with client.stream("GET", f"/page/{asset}", headers={"accept-encoding": takes}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == ("gzip" if is_packed else None)
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) == len(raw)
    assert (gzip.decompress(raw) if is_packed else raw) == (FOLDER / asset).read_bytes()


def test_a_conversation_is_listed_with_the_words_that_began_it(
    memory: Memory, client: httpx.Client
) -> None:
    me = memory.scoped(user="ada")
    began = [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Where is Oslo?"}]
    me.remember([*began, {"role": "user", "content": "And Bergen?"}], session="a")
    me.remember([{"role": "assistant", "content": "Nobody answers."}], session="b")
    asked = {"kind": "conversation"}
    found = client.get("/v1/page/records", params=asked, headers={"x-agentcl-user": "ada"}).json()
    assert {one["key"]: one["text"] for one in found["records"]} == {"a": "Where is Oslo?", "b": ""}
    others = client.get("/v1/page/records", params=asked, headers={"x-agentcl-user": "bo"}).json()
    assert others["records"] == []
