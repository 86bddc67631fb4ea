"""Starting and stopping a server, with a small stand-in where vLLM's module would be."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from agentcl import ModelUnavailable
from agentcl.cli.main import main
from agentcl.models.llamacpp import LlamaCppServer
from agentcl.models.reference.shipped import REFERENCE_FOLDER
from agentcl.models.vllm import VllmServer

STAND_IN = """
import argparse, json, os, sys, time, http.server
parser = argparse.ArgumentParser()
parser.add_argument("--host"); parser.add_argument("--port", type=int)
known, _ = parser.parse_known_args()
print("the stand-in starts", flush=True)
if "--fail" in sys.argv:
    raise SystemExit("no such device")
seen = {"argv": sys.argv[1:], "lora": os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING")}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(seen).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
if "--never" not in sys.argv:
    http.server.HTTPServer((known.host, known.port), Handler).serve_forever()
time.sleep(600)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    package = tmp_path / "path" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "api_server.py").write_text(STAND_IN)
    return {"PYTHONPATH": str(tmp_path / "path")}


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=1).close()
    except (URLError, OSError):
        return False
    return True


def test_a_server_is_started_with_the_right_flags_and_stopped(environment: dict[str, str]) -> None:
    server = VllmServer("models/small", environment=environment, lora=True, arguments=["--x", "1"])
    with server:
        assert (server.name, server.url) == ("small", f"http://127.0.0.1:{server.port}/v1")
        with urlopen(server.url) as response:
            seen = json.load(response)
        assert seen["lora"] == "1"
        assert {"--enable-prefix-caching", "--enable-lora", "--x"} <= set(seen["argv"])
        assert "--enable-prompt-embeds" not in seen["argv"]
        assert seen["argv"][seen["argv"].index("--served-model-name") + 1] == "small"
    assert not server.is_running()
    assert not answers(server.url)
    server.stop()


def test_a_server_can_be_killed_and_started_again(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = VllmServer("m", environment=environment, prompt_embeds=True, log=tmp_path / "log")
    for _ in range(2):
        with server:
            assert answers(server.url)
            server.kill()
            assert not server.is_running()
    assert "the stand-in starts" in (tmp_path / "log").read_text()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(
    environment: dict[str, str],
) -> None:
    with (
        pytest.raises(ModelUnavailable, match=r"ended while it started:\n(.*\n)*no such device"),
        VllmServer("m", environment=environment, arguments=["--fail"]),
    ):
        pass
    with (
        pytest.raises(ModelUnavailable, match="did not answer within 1 s"),
        VllmServer("m", environment=environment, arguments=["--never"], start_timeout_s=1),
    ):
        pass
    with (
        pytest.raises(ModelUnavailable, match="cannot start"),
        VllmServer("m", python="/no/python"),
    ):
        pass


@pytest.mark.skipif(find_spec("vllm") is not None, reason="needs a Python without vLLM")
def test_a_python_without_vllm_is_named_with_what_to_do() -> None:
    with (
        pytest.raises(ModelUnavailable, match=r"agentcl\[vllm\].*--python") as caught,
        VllmServer("m"),
    ):
        pass
    assert sys.executable in str(caught.value)


@pytest.mark.parametrize(
    ("model", "source", "number"),
    [("org/m", "org/m", signal.SIGINT), ("reference", str(REFERENCE_FOLDER), signal.SIGTERM)],
)
def test_the_command_serves_until_it_is_interrupted_or_ended(
    model: str, source: str, number: signal.Signals, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", "from agentcl.cli.main import main; main()", "model", "serve"]
    with subprocess.Popen(
        [*command, model, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        lines = ""
        while not lines.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, "it ended before it said where it serves"
            lines += line
        url = json.loads(lines)["url"]
        with urlopen(url) as response:
            argv = json.load(response)["argv"]
        assert argv[argv.index("--model") + 1] == source
        assert argv[argv.index("--served-model-name") + 1] == model.removeprefix("org/")
        process.send_signal(number)
        assert process.wait(60) == 0
    assert not answers(url)


def test_a_model_that_is_nowhere_is_refused_before_anything_starts(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    done = CliRunner().invoke(main, ["model", "serve", "nope"])
    assert done.exit_code == 1
    assert "there is no model 'nope' on this machine" in done.stderr
    assert "starting" not in done.stderr


@pytest.mark.skipif(find_spec("vllm") is not None, reason="needs a Python without vLLM")
def test_without_vllm_nothing_is_said_to_start() -> None:
    done = CliRunner().invoke(main, ["model", "serve", "reference"])
    assert done.exit_code == 1
    assert "vLLM is not installed" in done.stderr
    assert "starting" not in done.stderr


@pytest.fixture
def llamacpp(environment: dict[str, str]) -> dict[str, str]:
    """The same with a server where that of llama-cpp-python would be."""
    package = Path(environment["PYTHONPATH"]) / "llama_cpp" / "server"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    return environment


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(b"GGUF")
    return file


def test_a_gguf_is_served_by_the_server_of_llama_cpp_python(
    llamacpp: dict[str, str], gguf: Path
) -> None:
    given: dict[str, Any] = {"python": sys.executable, "environment": llamacpp}
    with LlamaCppServer(gguf, arguments=["--x", "1"], **given) as server:
        assert (server.name, server.is_running()) == ("tiny", True)
        with urlopen(server.url) as response:
            argv = json.load(response)["argv"]
    assert argv[argv.index("--model") + 1] == str(gguf)
    assert argv[argv.index("--model_alias") + 1] == "tiny"
    assert argv[-2:] == ["--x", "1"]
    assert not answers(server.url)


def test_the_program_of_llama_cpp_itself_is_taken_where_it_is_found(
    tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    program = tmp_path / "llama-server"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/stand_in.py "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with LlamaCppServer(gguf) as server, urlopen(server.url) as response:
        argv = json.load(response)["argv"]
    assert argv[argv.index("-m") + 1] == str(gguf)
    assert argv[argv.index("--alias") + 1] == "tiny"


def test_the_command_serves_with_llama_cpp(
    llamacpp: dict[str, str], gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", llamacpp["PYTHONPATH"])
    command = ["model", "serve", str(gguf), "--with", "llamacpp", "--python", sys.executable]
    done = CliRunner().invoke(main, [*command, "--", "--fail"])
    assert "starting llama.cpp" in done.stderr
    assert "no such device" in done.stderr
    refused = CliRunner().invoke(main, [*command, "--lora"])
    assert "are for vLLM" in refused.stderr
    folder = CliRunner().invoke(main, [*command[:2], str(gguf.parent), *command[3:]])
    assert "llama.cpp runs GGUF files" in folder.stderr
    assert {done.exit_code, refused.exit_code, folder.exit_code} == {1}


@pytest.mark.skipif(find_spec("llama_cpp") is not None, reason="needs a Python without llama.cpp")
def test_without_llama_cpp_nothing_is_said_to_start(gguf: Path) -> None:
    command = ["model", "serve", str(gguf), "--with", "llamacpp", "--python", sys.executable]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "agentcl[llamacpp]" in done.stderr
    assert "starting" not in done.stderr
