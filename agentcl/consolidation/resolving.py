"""A plugin of vLLM that loads an adapter when it is first asked for, as the journal of a memory says.

So replicas need not be told of each new adapter. vLLM finds it by the entry point `vllm.general_plugins` and does nothing
with it unless `AGENTCL_VLLM_MEMORY` names a memory. It runs in vLLM's environment, which needs agentcl and none of its
dependencies: `pip install --no-deps agentcl`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from agentcl.consolidation.base import Fingerprint, check_base, fingerprint_of
from agentcl.errors import AgentclError, InvalidInput, NotFound
from agentcl.memory.adapters.files import check_files
from agentcl.memory.adapters.routing import SERVED, AdapterRoutes
from agentcl.store.adapters import ADAPTER_NAME
from agentcl.store.backends import open_store, place_of
from agentcl.store.base import Store

VARIABLE: Final = "AGENTCL_VLLM_MEMORY"
_NAME: Final = "agentcl"  # of the resolver in vLLM


class AdapterResolver:
    """Says where the files of an adapter are, if it answers somebody and fits the base. Safe for threads.

    The journal is opened when something is first asked for, and read again at each question.

    Args:
        place: the folder of the memory, or its database.
        log: told why an adapter is not loaded.
    """

    def __init__(self, place: str | os.PathLike[str], *, log: logging.Logger | None = None) -> None:
        self._place = place_of(place)
        self._log = log or logging.getLogger(__name__)
        self._lock = threading.Lock()
        self._opened: tuple[Store, AdapterRoutes] | None = None
        self._bases: dict[Path, Fingerprint] = {}

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            if self._opened is not None:
                self._opened[0].close()
                self._opened = None

    def folder_of(self, base: str, name: str) -> Path:
        """Return the folder of an adapter that may be loaded.

        Args:
            base: the folder of the model that is served.
            name: of the adapter.

        Raises:
            NotFound: if there is no such adapter.
            InvalidInput: if it answers nobody, being neither canary nor stable, or the model is served from no folder.
            ModelChanged: if it was trained on another base.
            StoreCorrupt: if its files are not those that were trained.
            StoreUnavailable: if the journal cannot be read.
        """
        if ADAPTER_NAME.fullmatch(name) is None:
            raise NotFound(f"{name!r} is no name of an adapter")
        store, routes = self._store()
        held = routes.named(name)
        if held is None:
            raise NotFound(f"{self._place} has no adapter {name!r}")
        if held.state not in SERVED:
            raise InvalidInput(
                f"the adapter {name} is {held.state} ({held.reason}), so nobody is answered by it; "
                f"agentcl adapters route {name} --to canary"
            )
        folder = Path(base)
        if not folder.is_dir():
            raise InvalidInput(
                f"{base!r} is served from no folder, so nobody can see whether {name} fits it; start vLLM with the "
                "folder of the model"
            )
        with self._lock:
            if folder not in self._bases:
                self._bases[folder] = fingerprint_of(folder)
            found = self._bases[folder]
        check_base(held, folder, found)
        return check_files(store.folder, held).resolve()

    async def resolve_lora(self, base_model_name: str, lora_name: str) -> Any:  # noqa: ANN401  # vLLM's
        """Return what vLLM is to load; None, with the reason in its log, if nothing is. Called by vLLM."""
        try:
            folder = await asyncio.to_thread(self.folder_of, base_model_name, lora_name)
        except NotFound as error:
            self._log.info("agentcl: %s", error)
            return None
        except AgentclError as error:
            self._log.warning("agentcl does not load %s: %s", lora_name, error)
            return None
        request = import_module("vllm.lora.request").LoRARequest
        return request(lora_name=lora_name, lora_int_id=1, lora_path=str(folder))  # vLLM numbers it

    def _store(self) -> tuple[Store, AdapterRoutes]:
        with self._lock:
            if self._opened is None:
                store = open_store(self._place, read_only=True)
                self._opened = store, AdapterRoutes(store)
            return self._opened


def register() -> None:
    """Give vLLM the resolver, if `AGENTCL_VLLM_MEMORY` names a memory. vLLM calls this in each of its processes."""
    place = os.environ.get(VARIABLE, "")
    if not place:
        return
    registry = import_module("vllm.lora.resolver").LoRAResolverRegistry
    if _NAME not in registry.get_supported_resolvers():
        log = import_module("vllm.logger").init_logger(f"vllm.{__name__}")
        registry.register_resolver(_NAME, AdapterResolver(place, log=log))
