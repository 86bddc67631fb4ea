"""Which adapters a vLLM loads by itself: those that answer somebody, fit its base, and are as they were trained."""

import asyncio
import logging
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from agentcl import InvalidInput, Memory, ModelChanged, NotFound, StoreCorrupt, StoreUnavailable
from agentcl.consolidation import AdapterResolver
from agentcl.consolidation.base import fingerprint_of
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.memory.adapters.files import hashes_of
from agentcl.store import Adapter, Scope
from tests.integration.test_adapters import said

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(b"weights of the base")
    return folder


@pytest.fixture
def resolver(memory: Memory) -> Iterator[AdapterResolver]:
    opened = AdapterResolver(memory.path)
    yield opened
    opened.close()


def trained(memory: Memory, base: Path, *, subject: str = "Orla", smoke: str = "") -> Adapter:
    one, found = said(memory, subject=subject), fingerprint_of(base)
    name = next_name(memory, Scope(), "0123456789abcdef")
    adapter = Adapter(
        id="", key=name, base="tiny", weights=found.weights, vocabulary=found.vocabulary,
        template=found.template, holds={one.id: one.version},
    )  # fmt: skip
    register(memory, adapter)
    folder = memory.adapters.folder(name)
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights of " + name.encode())
    if smoke:
        (folder / "smoke.json").write_text(smoke, "utf-8")
    return judged(memory, name, gate={"is_passed": True}, files=hashes_of(folder), method={})


def test_only_what_answers_somebody_is_loaded_and_each_decision_holds_at_once(
    memory: Memory, base: Path, resolver: AdapterResolver
) -> None:
    held = trained(memory, base)
    with pytest.raises(InvalidInput, match=r"is passed .*adapters route"):
        resolver.folder_of(str(base), held.name)
    memory.adapters.route(held.name, "canary")
    folder = memory.adapters.folder(held.name).resolve()
    assert resolver.folder_of(str(base), held.name) == folder
    memory.adapters.route(held.name, "stable")
    assert resolver.folder_of(str(base), held.name) == folder
    memory.adapters.rollback()
    with pytest.raises(InvalidInput, match="is retired"):
        resolver.folder_of(str(base), held.name)
    memory.adapters.route(held.name, "stable")
    memory.forget(next(iter(held.holds)))
    with pytest.raises(InvalidInput, match="is revoked"):
        resolver.folder_of(str(base), held.name)


def test_an_adapter_of_another_base_or_with_changed_files_is_not_loaded(
    memory: Memory, base: Path, resolver: AdapterResolver, tmp_path: Path
) -> None:
    held = trained(memory, base)
    memory.adapters.route(held.name, "stable")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}", "utf-8")
    (other / "model.safetensors").write_bytes(b"other weights, as it is")
    with pytest.raises(ModelChanged, match="another weights"):
        resolver.folder_of(str(other), held.name)
    with pytest.raises(InvalidInput, match="folder of the model"):
        resolver.folder_of("owner/model", held.name)
    (memory.adapters.folder(held.name) / "adapter_model.safetensors").write_bytes(b"by hand")
    with pytest.raises(StoreCorrupt, match="never changed"):
        resolver.folder_of(str(base), held.name)


@pytest.mark.parametrize("name", ["nobody-v1-01234567", "../m", "", "gpt-4o", "a" * 200, "Ä"])
def test_what_is_no_adapter_is_not_found(
    memory: Memory, resolver: AdapterResolver, name: str
) -> None:
    with pytest.raises(NotFound):
        resolver.folder_of("/nowhere", name)


def test_a_memory_that_is_not_there_yet_is_looked_for_again(tmp_path: Path, base: Path) -> None:
    resolver = AdapterResolver(tmp_path / "later")
    with pytest.raises(StoreUnavailable):
        resolver.folder_of(str(base), "all-v1-01234567")
    with Memory(tmp_path / "later", encoder="hashing", durability="normal") as memory:
        held = trained(memory, base)
        memory.adapters.route(held.name, "stable")
        assert resolver.folder_of(str(base), held.name).name == held.name
    resolver.close()


class Playing(ModuleType):
    """What the plugin takes of vLLM."""

    def __init__(self) -> None:
        super().__init__("vllm")
        self.resolvers: dict[str, Any] = {}
        self.LoRAResolverRegistry = SimpleNamespace(
            get_supported_resolvers=self.resolvers.keys,
            register_resolver=self.resolvers.__setitem__,
        )
        self.LoRARequest = SimpleNamespace
        self.init_logger = logging.getLogger


def test_vllm_is_given_the_resolver_only_where_a_memory_is_named(
    memory: Memory, base: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (declared,) = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "entry-points"
    ]["vllm.general_plugins"].values()
    module, _, name = declared.partition(":")
    plugin = getattr(import_module(module), name)
    playing = Playing()
    for part in ("vllm", "vllm.lora", "vllm.lora.resolver", "vllm.lora.request", "vllm.logger"):
        monkeypatch.setitem(sys.modules, part, playing)
    plugin()
    assert playing.resolvers == {}
    monkeypatch.setenv("AGENTCL_VLLM_MEMORY", str(memory.path))
    plugin()
    plugin()  # vLLM may call it again
    (resolver,) = playing.resolvers.values()
    held = trained(memory, base)
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(resolver.resolve_lora(str(base), held.name)) is None
    assert "adapters route" in caplog.text
    memory.adapters.route(held.name, "stable")
    found = asyncio.run(resolver.resolve_lora(str(base), held.name))
    assert (found.lora_name, Path(found.lora_path).name) == (held.name, held.name)
    assert found.lora_int_id > 0
    assert asyncio.run(resolver.resolve_lora(str(base), "gpt-4o")) is None
    resolver.close()
    with Memory(memory.path, read_only=True) as reading:  # the variable is no setting of a memory
        assert reading.adapters.get(held.name).state == "stable"


def test_the_plugin_needs_no_dependency_of_agentcl_but_numpy() -> None:
    names = (
        "click",
        "rich",
        "jinja2",
        "pypdf",
        "justhtml",
        "pathspec",
        "openai",
        "torch",
        "transformers",
    )
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from agentcl.consolidation.resolving import register
register()
"""
    environment = {k: v for k, v in os.environ.items() if k != "AGENTCL_VLLM_MEMORY"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
