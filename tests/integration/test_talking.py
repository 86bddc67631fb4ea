"""The chat in the terminal: what its model is shown before each answer."""

import json
import socket
import threading
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentcl import InvalidInput, Memory
from agentcl.cli.chat import Talk
from agentcl.cli.main import main
from agentcl.cli.screen import Screen
from agentcl.models import Message, OpenAIChat, ScriptedModel, open_reference
from agentcl.models.reference.shipped import reference_folder
from agentcl.server.settings import SoftServing
from tests.endpoints import JsonHandler
from tests.hashed_codec import HashedCodec
from tests.unit.compression.test_codecs import write_untrained

FACT = "My sister Mira lives in Tessary and she keeps bees."
ASKED = "Where does Mira live?"
ECHO = "In Tessary, where Mira lives."


def test_a_question_asked_again_in_chat_shows_the_fact_that_answers_it(tmp_path: Path) -> None:
    prompts: list[str] = []

    def answer(messages: Sequence[Message]) -> str:
        prompts.append("\n".join(one.content for one in messages))
        return ECHO if ASKED in messages[-1].content else "Lovely."

    with Memory(tmp_path / "m", encoder="hashing") as memory:
        me = memory.scoped(user="me")
        Talk(me, "first", ScriptedModel(answer)).hear(FACT)
        for number in range(3):
            Talk(me, f"asked {number}", ScriptedModel(answer)).hear(ASKED)
    for prompt in prompts[1:]:
        assert FACT in prompt
        assert ECHO not in prompt
        assert prompt.count(ASKED) == 1


def test_no_word_of_a_model_ends_a_talk_or_steers_its_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "\x1b]52;c;ZXZpbA==\x07 half \ud83d of it \u202e\u009b31m"
    said = iter([{"choices": [{"delta": {"content": odd}}]}, "Well."])

    class Endpoint(JsonHandler):
        def do_POST(self) -> None:
            self.asked()
            event = next(said)
            if isinstance(event, str):
                event = {"choices": [{"delta": {"content": event}}]}
            self.answer(
                f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n",
                headers={"Content-Type": "text/event-stream"},
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    with (
        Memory(tmp_path / "m", encoder="hashing") as memory,
        OpenAIChat("m", base_url=url) as model,
    ):
        talk = Talk(memory.scoped(user="me"), "first", model)
        talk.hear("Hello.")
        talk.hear("And?")
        talk.hear("/why")
        assert len(memory.list(kind="turn", user="me")) == 4
    server.shutdown()
    server.server_close()
    shown = capsys.readouterr().out
    assert [char for char in "\x1b\x07\u202e\u009b" if char in shown] == []


@pytest.mark.parametrize("more", [[], ["--web"]])
def test_an_address_that_is_none_is_refused_by_the_name_of_its_option(
    tmp_path: Path, more: list[str]
) -> None:
    given = ["--path", str(tmp_path / "m"), "--encoder", "hashing", "--model", "m", *more]
    done = CliRunner().invoke(main, ["chat", *given, "--url", "localhost:8000"])
    assert done.exit_code == 1
    assert "--url" in done.stderr
    assert "http://localhost:8000/v1" in done.stderr
    assert "--upstream" not in done.stderr


def test_what_was_piped_in_and_not_answered_ends_with_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    given = ["--path", str(tmp_path / "m"), "--encoder", "hashing", "--model", "m"]
    done = CliRunner().invoke(main, ["chat", *given, "--url", nowhere], input="Hello\n/help\n")
    assert "gave no answer" in done.stderr
    assert "/forget N" in done.stdout  # the lines behind it were read
    assert done.exit_code == 1


def test_a_program_reads_one_line_of_json_for_each_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        me = memory.scoped(user="me")
        model = ScriptedModel(["Noted.\n\u202eYes.", "In Oslo."])
        talk = Talk(me, "s", model, screen=Screen(as_json=True))
        lines = ["I live in Oslo.", "/nope", "Where do I live?", "/why", "/off", "/soft"]
        for line in lines[:-1]:
            talk.hear(line)
        with pytest.raises(InvalidInput, match="no codec"):
            talk.hear(lines[-1])
        talk.hear("/forget 1")
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sorted(one) for one in told] == [
        ["answer", "shown"], ["help", "told"], ["answer", "shown"], ["report", "soft", "text"], ["memory"], ["receipt"],
    ]  # fmt: skip
    assert told[0]["answer"] == "Noted.\n\u202eYes."
    assert told[2]["shown"][0]["text"] == "The user lives in Oslo."


def test_a_line_that_is_no_text_is_refused_and_the_next_one_heard(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        talk = Talk(memory.scoped(user="me"), "s", ScriptedModel(["Hello."]))
        with pytest.raises(InvalidInput, match="that line is not UTF-8"):
            talk.hear(b"I live in M\xe4lar.".decode("utf-8", "surrogateescape"))
        talk.hear("Hi.")
        assert len(memory.list(kind="turn", user="me")) == 2


def test_a_command_that_is_none_is_told_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        talk = Talk(memory.scoped(user="me"), "s", ScriptedModel([]))
        talk.hear("/forgett 3")
        assert "there is no /forgett; did you mean '/forget'?" in capsys.readouterr().out
        talk.hear("/help")
        assert "there is no" not in capsys.readouterr().out


PASSAGE = "Marin Holt keeps the lighthouse of Orvex and paints its green door each spring, as her aunt did before her."


def test_soft_memories_are_told_as_what_they_are_and_switched_in_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Sequence[Message]] = []

    def answer(messages: Sequence[Message]) -> str:
        asked.append(messages)
        return "Marin Holt."

    codec = HashedCodec()
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add(PASSAGE)
        memory.compressed.compress(codec)
        me = memory.scoped(user="me")
        talk = Talk(me, "s", ScriptedModel(answer), SoftServing(codec, is_on=True))
        talk.hear("Who keeps the lighthouse of Orvex?")
        assert asked[-1][-1].parts[0] == "Passage: "
        assert "1 passage as 4 soft tokens of" in capsys.readouterr().out
        talk.hear("/why")
        assert f"of text] {PASSAGE}" in capsys.readouterr().out
        talk.hear("How many doors has it?")
        assert "(text: the question asks for exact words or numbers)" in capsys.readouterr().out
        talk.hear("/text")
        talk.hear("Who keeps the lighthouse of Orvex?")
        assert not asked[-1][-1].parts
        plain = Talk(me, "t", ScriptedModel(answer))
        with pytest.raises(InvalidInput, match="no codec"):
            plain.hear("/soft")


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("smollm2-135m", [], "there is no codec for smollm2-135m"),
        ("smollm2-135m", ["--codec", "nowhere"], "there is no codec nowhere"),
        ("reference", ["--codec", "nowhere"], "there is no codec nowhere"),
    ],
)
def test_soft_memories_without_a_codec_are_refused_with_what_to_do(
    tmp_path: Path, name: str, more: list[str], says: str
) -> None:
    path = ["--path", str(tmp_path / "m"), "--encoder", "hashing"]
    told = CliRunner().invoke(main, ["chat", *path, "--model", name, "--soft", *more])
    assert told.exit_code != 0
    assert says in told.output


@pytest.mark.parametrize("named", [["--model", "reference"], []])
def test_the_reference_model_talks_with_soft_memories(tmp_path: Path, named: list[str]) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add(PASSAGE, user="me")
    said = "Who keeps the lighthouse?\n/quit\n"
    asked = ["chat", "--path", str(tmp_path / "m"), *named, "--soft"]
    told = CliRunner().invoke(main, asked, input=said)
    assert told.exit_code == 0, told.output
    assert "soft tokens of reference" in told.output


def test_a_model_that_transformers_runs_talks_with_soft_memories(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    model = str(reference_folder())
    codec = str(write_untrained(tmp_path / "c", base=open_reference().fingerprint()))
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add(PASSAGE, user="me")
    asked = ["chat", "--path", str(tmp_path / "m"), "--model", model, "--codec", codec, "--soft"]
    told = CliRunner().invoke(main, asked, input="Who keeps the lighthouse?\n/quit\n")
    assert told.exit_code == 0, told.output
    assert "soft tokens of untrained" in told.output


def test_what_llama_cpp_runs_reads_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packages" / "llama_cpp").mkdir(parents=True)
    (tmp_path / "packages" / "llama_cpp" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "packages")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    path = ["--path", str(tmp_path / "m"), "--encoder", "hashing", "--soft"]
    asked = ["chat", *path, "--model", str(tmp_path / "model.gguf"), "--codec", "here"]
    told = CliRunner().invoke(main, asked)
    assert told.exit_code != 0
    assert "reads text alone" in told.output
