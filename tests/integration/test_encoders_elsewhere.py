"""Encoders behind an address: the same model elsewhere, one that is down, and addresses that nobody confirmed."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentcl import EncoderMismatch, EncoderUnavailable, Memory, NotTrusted
from agentcl.cli.main import main
from agentcl.consolidation import Consolidate
from agentcl.errors import ConfigError, NotEquipped

pytest.importorskip("openai")
NOTE = "The ferry leaves at seven."

Embed = Callable[[str], Sequence[float]]


def spelled(text: str) -> list[float]:
    """Return a vector of a text by its letters, so that equal words come close."""
    return [1.0 + text.lower().count(letter) for letter in "aefhst"]


class EmbeddingServer(ThreadingHTTPServer):
    """Answers every request; `embed` says how, and `status` whether."""

    daemon_threads = True

    def __init__(self, embed: Embed = spelled) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.embed = embed
        self.status = 200
        self.redirect = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []  # path, body, headers
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Answering(BaseHTTPRequestHandler):
    server: EmbeddingServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.asked.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}))
        said: dict[str, Any] = {"error": {"message": "it is down"}}
        status = self.server.status
        if status == 200 and self.path.endswith("/embeddings"):
            texts = json.loads(body)["input"]
            said = {"data": [{"index": n, "embedding": list(self.server.embed(t))} for n, t in enumerate(texts)]}  # fmt: skip
        elif status == 200:
            status = 404
        content = json.dumps(said).encode()
        self.send_response(307 if self.server.redirect else status)
        if self.server.redirect:
            self.send_header("Location", self.server.redirect)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    started = EmbeddingServer()
    yield started
    started.close()


@pytest.fixture
def other() -> Iterator[EmbeddingServer]:
    started = EmbeddingServer()
    yield started
    started.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second attempt, and no variable of the shell counts."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.0)
    for name in [*os.environ]:
        if name.startswith(("AGENTCL_", "OPENAI_")):
            monkeypatch.delenv(name)


def filled(folder: Path, encoder: str) -> Path:
    with Memory(folder, encoder=encoder) as memory:
        memory.add(NOTE)
    return folder


def invoke(*arguments: object, input: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)


# One model, wherever it is served


def test_the_same_model_at_another_address_is_the_same_encoder(
    tmp_path: Path, server: EmbeddingServer, other: EmbeddingServer
) -> None:
    filled(tmp_path, f"openai:m@{server.url}")
    for moved in (
        other.url,
        other.url.replace("127.0.0.1", "localhost") + "/",
        f"{other.url}/../v1",
    ):
        with Memory(tmp_path, encoder=f"openai:m@{moved}") as memory:
            assert [hit.text for hit in memory.search("ferry", mode="dense")] == [NOTE]
            assert memory.store.examine().is_healthy
    with Memory(tmp_path) as memory:  # the newest address that was named
        asked = len(server.asked)
        memory.search("when does the ferry go")
        assert len(server.asked) == asked
    assert f":{server.port}" not in (tmp_path / "journal.db").read_bytes().decode("latin-1")


@pytest.mark.parametrize("name", ["openai:n@{}", "openai:m@{}#query_prefix=q", "hashing"])
def test_another_model_or_prefix_is_another_encoder(
    tmp_path: Path, server: EmbeddingServer, name: str
) -> None:
    filled(tmp_path, f"openai:m@{server.url}")
    with pytest.raises(EncoderMismatch, match="reembed"):
        Memory(tmp_path, encoder=name.format(server.url))


def test_another_model_under_the_same_name_is_noticed(
    tmp_path: Path, server: EmbeddingServer, other: EmbeddingServer
) -> None:
    other.embed = lambda text: spelled(text)[::-1]
    filled(tmp_path, f"openai:m@{server.url}")
    other.embed = lambda text: [-1.0 if place % 2 else 1.0 for place in range(6)]
    with Memory(tmp_path, encoder=f"openai:m@{other.url}") as memory:
        with pytest.raises(EncoderMismatch, match="another model answers to the name"):
            memory.search("ferry")
        with pytest.raises(EncoderMismatch, match="reembed"):
            memory.add("another note")
        memory.store.reembed(f"openai:m@{other.url}")
    with Memory(tmp_path) as memory:
        assert memory.search("ferry").warning == ""


def test_an_encoder_keeps_its_name_however_it_is_spelled(tmp_path: Path) -> None:
    for name in ("hashing:512", "hashing", "hashing:0512"):
        filled(tmp_path / "m", name)
    filled(tmp_path / "n", "hashing:64")
    with pytest.raises(EncoderMismatch):
        Memory(tmp_path / "n", encoder="hashing:512")


# An encoder that is down


@pytest.mark.parametrize("mode", ["hybrid", "graph"])
def test_without_the_encoder_words_answer_and_the_recall_says_so(
    tmp_path: Path, server: EmbeddingServer, mode: Any
) -> None:
    filled(tmp_path, f"openai:m@{server.url}")
    server.status = 503
    with Memory(tmp_path) as memory:
        found = memory.search("ferry", mode=mode)
        assert [hit.text for hit in found] == [NOTE]
        assert "by words alone" in found.warning
        assert server.url in found.warning
        assert "by words alone" in repr(found)
        assert memory.search("ferry", mode="text").warning == ""
        assert len(memory.list()) == 1
        assert memory.store.examine().is_healthy
        with pytest.raises(EncoderUnavailable, match=r"Check that the server runs"):
            memory.search("ferry", mode="dense")
    printed = invoke("search", "ferry", "--path", tmp_path)
    assert printed.exit_code == 0
    assert "by words alone" in printed.stderr
    assert json.loads(invoke("search", "ferry", "--path", tmp_path, "--json").stdout)["warning"]


def test_who_searches_again_does_not_wait_for_an_encoder_that_is_down(
    tmp_path: Path, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("agentcl.retrieval.encoders.openai.monotonic", lambda: now[0])
    filled(tmp_path, f"openai:m@{server.url}")
    server.status = 503
    with Memory(tmp_path) as memory:
        memory.search("ferry")
        asked = len(server.asked)
        assert asked > 1  # it was tried again
        now[0] += 4
        for question in ("ferry", "where is the ferry"):
            found = memory.search(question)
            assert [hit.text for hit in found] == [NOTE]
            assert "4 s ago; the next question in 6 s" in found.warning
        assert len(server.asked) == asked
        now[0] += 7
        assert "s ago" not in memory.search("ferry").warning
        assert len(server.asked) > asked
        server.status = 200
        memory.add("another note")  # what is to be stored is always tried
        assert memory.search("another ferry").warning == ""


def test_an_encoder_that_refuses_one_question_is_asked_the_next(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    filled(tmp_path, f"openai:m@{server.url}")
    with Memory(tmp_path) as memory:
        server.status = 400
        assert memory.search("ferry").warning
        server.status = 200
        assert memory.search("the ferry").warning == ""


def test_an_add_without_the_encoder_names_the_endpoint_and_stores_nothing(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    filled(tmp_path, f"openai:m@{server.url}")
    server.status = 503
    with Memory(tmp_path) as memory:
        with pytest.raises(EncoderUnavailable, match="nothing was stored") as caught:
            memory.add("another note")
        assert server.url in str(caught.value)
        assert len(memory.list()) == 1
    server.status = 200
    with Memory(tmp_path) as memory:
        memory.add("another note")
        assert memory.search("note").warning == ""


def test_a_question_beyond_the_window_is_answered_by_words(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    def short(text: str) -> list[float]:
        return spelled(text) if len(text) < 100 else []  # which is no vector

    filled(tmp_path, f"openai:m@{server.url}")
    server.embed = short
    with Memory(tmp_path) as memory:
        assert memory.search("ferry " * 100).hits[0].text == NOTE


# What comes from elsewhere


def received(folder: Path, name: str, dim: int = 6) -> Path:
    """Make a folder as somebody else could have made it: it names an encoder, and nobody here did."""
    filled(folder, f"hashing:{dim}")
    with sqlite3.connect(folder / "journal.db") as connection:
        held = json.dumps({"name": name, "dim": dim})
        connection.execute("UPDATE meta SET value = ? WHERE key = 'encoder'", (held,))
    connection.close()
    return folder


ASKING: list[Callable[[Memory], object]] = [
    lambda memory: memory.search("my private question"),
    lambda memory: memory.search("my private question", mode="dense"),
    lambda memory: memory.search("my private question", mode="graph"),
    lambda memory: memory.add("my private note"),
    lambda memory: memory.warm_up(),
    lambda memory: memory.lessons.add("When asked, answer."),
    lambda memory: memory.store.encoder,
]


@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize("name", ["openai:m@{url}", "openai:m", "sentence-transformers:{folder}"])
def test_an_encoder_that_only_the_folder_names_is_neither_asked_nor_loaded(
    tmp_path: Path, server: EmbeddingServer, ask: Callable[[Memory], object], name: str
) -> None:
    (tmp_path / "model").mkdir()
    folder = received(tmp_path / "m", name.format(url=server.url, folder=tmp_path / "model"))
    with Memory(folder) as memory:
        with pytest.raises(NotTrusted) as caught:
            ask(memory)
        assert name.partition("@")[0].partition("{")[0] in str(caught.value)
        assert "encoder=" in str(caught.value)
        assert [hit.text for hit in memory.search("ferry", mode="text")] == [NOTE]
        assert len(memory.list()) == 1
        memory.store.export(tmp_path / "out.jsonl")
        memory.store.stats()
        assert memory.store.examine().is_healthy
    assert server.asked == []


def test_naming_an_encoder_once_confirms_it_for_this_folder_alone(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    folder = filled(tmp_path / "m", f"openai:m@{server.url}")
    with Memory(folder) as memory:
        assert len(memory.search("ferry", mode="dense")) == 1
        memory.store.snapshot(tmp_path / "copy")
    asked = len(server.asked)
    with Memory(tmp_path / "copy") as memory, pytest.raises(NotTrusted, match="Name it once"):
        memory.search("ferry")
    assert len(server.asked) == asked
    with Memory(tmp_path / "copy", encoder=f"openai:m@{server.url}") as memory:
        memory.search("ferry")
    with Memory(tmp_path / "copy") as memory:
        assert memory.search("ferry").warning == ""


def test_a_folder_that_is_exchanged_reaches_no_address_of_its_own(
    tmp_path: Path, server: EmbeddingServer, other: EmbeddingServer
) -> None:
    folder = filled(tmp_path / "m", f"openai:m@{server.url}")
    for file in folder.glob("journal.db*"):
        file.unlink()
    received(folder, f"openai:m@{other.url}")
    with Memory(folder) as memory:
        memory.search("ferry", mode="dense")
    assert other.asked == []
    for file in folder.glob("journal.db*"):
        file.unlink()
    received(folder, f"openai:n@{other.url}")
    with Memory(folder) as memory, pytest.raises(NotTrusted):
        memory.search("ferry", mode="dense")
    assert other.asked == []


def test_a_model_that_a_waiting_job_names_is_confirmed_like_an_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, gone = tmp_path / "m", tmp_path / "gone"
    with Memory(folder, encoder="hashing:64") as memory:
        memory.jobs.add_kind(Consolidate(memory))
        job = memory.jobs.enqueue("consolidate", {"base": str(gone)})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    refused = invoke("jobs", "run", job.id, "--path", folder)
    assert "you never did" in refused.stderr
    assert f"names the file or model {gone}" in invoke("trust", folder, input="n\n").stderr
    assert "you never did" in invoke("jobs", "run", job.id, "--path", folder).stderr
    assert invoke("trust", folder, input="y\n").exit_code == 0
    assert str(gone) in invoke("jobs", "run", job.id, "--path", folder).stderr
    assert invoke("trust", folder, "--revoke").exit_code == 0
    named = invoke("jobs", "run", job.id, "--path", folder, "--load", gone)
    assert "you never did" not in named.stderr


def test_what_a_folder_names_is_confirmed_once_and_can_be_taken_back(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    folder = received(tmp_path / "m", f"openai:m@{server.url}")
    refused = invoke("search", "ferry", "--path", folder)
    assert refused.exit_code == 1
    assert f"openai:m@{server.url}" in refused.stderr  # and no picture in place of :m:
    assert f"agentcl trust {folder}" in refused.stderr
    assert invoke("trust", folder, input="n\n").exit_code == 1
    assert server.asked == []
    assert invoke("trust", folder, input="y\n").exit_code == 0
    assert server.asked == []
    assert "nothing to confirm" in invoke("trust", folder).stdout
    assert invoke("search", "ferry", "--path", folder).exit_code == 0
    asked = len(server.asked)
    assert asked
    assert "nothing is confirmed" in invoke("trust", folder, "--revoke").stdout
    assert invoke("search", "ferry", "--path", folder).exit_code == 1
    assert len(server.asked) == asked


def test_a_folder_that_is_not_there_is_not_called_confirmed(tmp_path: Path) -> None:
    asked = invoke("trust", tmp_path / "nowhere")
    assert asked.exit_code == 1
    assert "check the path" in asked.stderr


def test_a_folder_without_an_address_has_to_be_told_one(tmp_path: Path) -> None:
    folder = received(tmp_path / "m", "openai:m")
    assert "name it once" in invoke("trust", folder, "--yes").stderr


def test_a_folder_whose_encoder_nobody_serves_any_more_says_how_it_is_used_without(
    tmp_path: Path,
) -> None:
    folder = received(tmp_path / "m", "openai:m")
    way = f"agentcl reembed --path {folder} --encoder hashing"
    with Memory(folder) as memory, pytest.raises(NotTrusted, match=re.escape(way)):
        memory.search("ferry")
    assert invoke(*way.split()[1:]).exit_code == 0
    with Memory(folder) as memory:
        assert memory.search("ferry").encoder == "hashing"


def test_an_import_confirms_nothing(tmp_path: Path, server: EmbeddingServer) -> None:
    folder = filled(tmp_path / "theirs", f"openai:m@{server.url}")
    with Memory(folder) as memory:
        memory.store.export(tmp_path / "out.jsonl")
    assert server.url not in (tmp_path / "out.jsonl").read_text()
    asked = len(server.asked)
    with Memory(tmp_path / "mine") as memory:
        memory.store.import_(tmp_path / "out.jsonl")
        with pytest.raises(NotTrusted, match="openai:m"):
            memory.search("my private question")
        with pytest.raises(NotTrusted):
            memory.add("my private note")
    assert len(server.asked) == asked


def test_a_job_confirms_nothing(tmp_path: Path, server: EmbeddingServer) -> None:
    folder = filled(tmp_path / "m", "hashing:6")
    with Memory(folder) as memory:
        asked_for = memory.jobs.enqueue("reembed", {"encoder": "hashing:8"})
    with sqlite3.connect(folder / "journal.db") as connection:
        spec = json.dumps({"encoder": f"openai:m@{server.url}"})
        assert connection.execute("UPDATE job SET spec = ?", (spec,)).rowcount == 1
    connection.close()
    with Memory(folder) as memory:
        with pytest.raises(NotEquipped, match="nothing was asked"):
            memory.jobs.run(asked_for.id)
        memory.jobs.run_all()
    assert server.asked == []
    with Memory(folder) as memory:  # but what the user asks for himself is named by him
        job = memory.jobs.enqueue("reembed", {"encoder": f"openai:m@{server.url}"})
        assert job.spec == {"encoder": "openai:m"}
    with Memory(folder) as memory:
        assert memory.jobs.run(job.id).state == "done"


# A settings file on the way up


def settings_file(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    below = folder / "project" / "below"
    below.mkdir(parents=True)
    (below.parent / "agentcl.toml").write_text(text)
    monkeypatch.chdir(below)
    return below.parent


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('encoder = "openai:m@{url}"', "encoder"),
        ('encoder = "sentence-transformers:./model"', "encoder"),
        ('encoder = "hashing"\nindex = "chroma:{bare}"', "index"),
        ('encoder = "hashing"\npath = "../elsewhere"', "path"),
        ('encoder = "hashing"\npath = "{tmp}/elsewhere"', "path"),
        ('encoder = "hashing"\npath = "~/elsewhere"', "path"),
        ('encoder = "hashing"\npath = "linked/elsewhere"', "path"),
    ],
)
def test_a_settings_file_decides_nothing_until_it_is_confirmed(
    tmp_path: Path, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch, text: str, named: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    bare = server.url.removesuffix("/v1")
    place = settings_file(
        tmp_path, text.format(url=server.url, bare=bare, tmp=tmp_path), monkeypatch
    )
    (place / "linked").symlink_to(home)
    before = sorted(tmp_path.rglob("*"))
    for arguments in (("add", "-"), ("search", "ferry"), ("list",), ("jobs", "list")):
        refused = invoke(*arguments, input=NOTE)
        assert refused.exit_code == 1, arguments
        assert f"{named} = " in refused.stderr or arguments[0] == "jobs"
    refused = invoke("add", "-", input=NOTE)
    assert f"{place / 'agentcl.toml'} says {named} = " in refused.stderr
    assert f"agentcl trust {place}" in refused.stderr
    with pytest.raises(NotTrusted):
        Memory()
    assert server.asked == []
    assert sorted(tmp_path.rglob("*")) == before


def test_a_settings_file_that_is_confirmed_holds_until_it_says_something_else(
    tmp_path: Path, server: EmbeddingServer, other: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = settings_file(
        tmp_path, f'encoder = "openai:m@{server.url}"\npath = "../memory"', monkeypatch
    )
    assert "OPENAI_API_KEY" in invoke("trust", place, input="n\n").stderr
    assert invoke("trust", place, "--yes").exit_code == 0
    assert invoke("add", "-", input=NOTE).exit_code == 0
    assert (tmp_path / "memory" / "journal.db").exists()
    file = place / "agentcl.toml"
    file.write_text("passage_limit = 500\n" + file.read_text())
    assert invoke("search", "ferry").exit_code == 0
    file.write_text(file.read_text().replace(server.url, other.url))
    assert "agentcl trust" in invoke("search", "ferry").stderr
    assert other.asked == []


def test_a_settings_file_that_stays_within_its_folder_needs_no_confirming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = settings_file(tmp_path, 'encoder = "hashing:64"\npath = "sub/mine"\nindex = "exact"', monkeypatch)  # fmt: skip
    with Memory() as memory:
        assert memory.path == place / "sub" / "mine"


def test_what_the_user_says_himself_needs_no_confirming(
    tmp_path: Path, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(tmp_path, 'encoder = "openai:m@http://127.0.0.1:9/v1"\npath = "/elsewhere"', monkeypatch)  # fmt: skip
    options = ("--path", tmp_path / "m", "--encoder", "hashing")
    assert invoke("add", "-", *options, input=NOTE).exit_code == 0
    monkeypatch.setenv("AGENTCL_ENCODER", f"openai:m@{server.url}")
    monkeypatch.setenv("AGENTCL_PATH", str(tmp_path / "n"))
    assert invoke("add", "-", input=NOTE).exit_code == 0
    assert server.asked


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to give files away"
)
def test_a_settings_file_of_another_user_says_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = settings_file(tmp_path, 'encoder = "hashing"\npath = "mine"', monkeypatch)
    os.chown(place / "agentcl.toml", 12_345, -1)
    with pytest.raises(NotTrusted, match="path"):
        Memory()


def test_chroma_takes_nothing_from_a_file_of_the_working_folder(
    tmp_path: Path, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("chromadb")
    monkeypatch.chdir(tmp_path)
    address = server.url.removesuffix("/v1")
    (tmp_path / ".env").write_text(
        f"CHROMA_API_IMPL=somebody.Client\nCHROMA_OTEL_COLLECTION_ENDPOINT={address}\n"
        f"CHROMA_SERVER_HOST=127.0.0.1\nCHROMA_SERVER_HTTP_PORT={server.port}\n"
    )
    with Memory(tmp_path / "m", encoder="hashing", index="chroma") as memory:
        memory.add(NOTE)
        assert [hit.text for hit in memory.search("ferry", mode="dense")] == [NOTE]
    assert server.asked == []


# A run that was received


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": {"name": "model", "model": "m", "url": "{url}"}},
        {"agent": {"name": "model", "model": "/somebody/s/model"}},
        {"memory": {"encoder": "openai:m@{url}"}},
        {"memory": {"options": {"none": {"python": "/somebody/s/python"}}}},
        {"tasks": {"domain": "somebody:World"}},
    ],
)
def test_a_run_that_was_received_asks_and_runs_nothing_of_its_own(
    tmp_path: Path, server: EmbeddingServer, changes: dict[str, dict[str, Any]]
) -> None:
    run = ("--domain", "incidents", "--agent", "random", "--baseline", "none", "-n", "2")
    assert invoke("bench", "run", *run, "--out", tmp_path / "run").exit_code == 0
    assert invoke("bench", "resume", tmp_path / "run").exit_code == 0
    head = json.loads((tmp_path / "run" / "run.json").read_text())
    for table, values in json.loads(json.dumps(changes).replace("{url}", server.url)).items():
        head["settings"][table].update(values)
    (tmp_path / "run" / "run.json").write_text(json.dumps(head))
    refused = invoke("bench", "resume", tmp_path / "run")
    assert refused.exit_code == 1
    assert f"agentcl trust {tmp_path / 'run'}" in refused.stderr
    assert server.asked == []
    assert invoke("trust", tmp_path / "run", "--yes").exit_code == 0
    again = invoke("bench", "resume", tmp_path / "run")
    assert "agentcl trust" not in again.stderr


# Keys


def test_a_key_goes_to_no_host_that_nobody_named(
    tmp_path: Path, server: EmbeddingServer, other: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server.redirect = f"{other.url}/embeddings"
    with (
        Memory(tmp_path, encoder=f"openai:m@{server.url}") as memory,
        pytest.raises(EncoderUnavailable, match="nobody named"),
    ):
        memory.add("my private note")
    assert other.asked == []


def test_an_address_with_a_password_is_refused_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        Memory(tmp_path, encoder="openai:m@http://joe:S3CRET@127.0.0.1:9/v1")
    assert "S3CRET" not in str(caught.value)


@pytest.mark.parametrize("home", ["/proc/nowhere", ""])
def test_without_a_place_to_keep_it_naming_still_works(
    tmp_path: Path, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", home)
    monkeypatch.setenv("HOME", "/proc/nowhere")
    filled(tmp_path, f"openai:m@{server.url}")
    with Memory(tmp_path, encoder=f"openai:m@{server.url}") as memory:
        assert memory.search("ferry").warning == ""
    with Memory(tmp_path) as memory:  # it holds as long as the process lives
        assert memory.search("ferry").warning == ""
    with monkeypatch.context() as patch:
        patch.setattr("agentcl.memory.trusted._unwritten", {})
        with Memory(tmp_path) as memory, pytest.raises(NotTrusted):
            memory.search("ferry")
