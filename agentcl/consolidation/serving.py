"""An adapter in a running vLLM: loaded, compared with what the trainer saw, and unloaded.

A server says that it loaded an adapter also where it then serves the bare model, or another base. So its
log-probabilities of a few answers are compared with the trainer's: before, with the base alone, and after.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from agentcl.consolidation.base import check_base
from agentcl.consolidation.smoke import SmokeProbe, distance, read_smoke
from agentcl.errors import AgentclError, InvalidInput, ModelChanged, ModelUnavailable, NotFound
from agentcl.text.endpoint import (
    OddAnswer,
    ask_endpoint,
    listed_models,
    open_client,
    refusal_of,
    told_by,
)
from agentcl.text.paths import check_path

if TYPE_CHECKING:
    from openai import APIStatusError

    from agentcl.memory.memory import Memory
    from agentcl.store.adapters import Adapter

_AT_ONCE: Final = 8  # requests
_FEATURE: Final = "loading an adapter"
# In nats a token: what a server's own number format and kernels may change. It is a part of what the adapter changes where
# that is more.
_ROUNDING: Final = 0.1
_PART: Final = 0.25
_LEAST: Final = 0.02  # that an adapter changes, to be told from its base
_NO_ROUTE: Final = (
    "it does not load adapters while it runs: start vLLM with --enable-lora and the variable "
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
)
_NO_SLEEP: Final = "it cannot be woken: start vLLM with --enable-sleep-mode and the variable VLLM_SERVER_DEV_MODE=1"


@dataclass(frozen=True, slots=True)
class ServedAdapter:
    """How an adapter is served, in nats a token over the answers that were compared."""

    name: str
    base: str  # what the server calls the model that it is on
    error: float  # mean absolute difference of the server's log-probabilities from the trainer's
    base_error: float  # the same of the base alone
    change: float  # mean absolute difference of the adapter from the base, at the server
    trained_change: float  # and at the trainer


@dataclass(frozen=True, slots=True)
class TriedAdapter:
    """How an adapter is served that is on trial, before anybody is answered by it."""

    served: ServedAdapter
    is_base_off_exact: (
        bool  # the bare model says what it said before, as far as a server's numbers tell
    )


class AdapterServer:
    """A vLLM server that adapters are loaded into.

    Args:
        url: e.g. "http://localhost:8000/v1".
        model: the name of the base there; default: the only one that it serves.
        api_key: default: the variable OPENAI_API_KEY, if set.
        timeout_s: of one request.

    Raises:
        MissingExtra: if the `openai` client is not installed.
        ConfigError: if the address or the key cannot be used.
    """

    def __init__(
        self, url: str, *, model: str = "", api_key: str | None = None, timeout_s: float = 120.0
    ) -> None:
        self.url = url
        self._model = model
        self._client = open_client(
            url, feature=_FEATURE, api_key=api_key, timeout_s=timeout_s, retries=0
        )
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self._client.close()

    def names(self) -> list[str]:
        """Return the names of the adapters that are loaded. Raises ModelUnavailable."""
        return [row["id"] for row in self._listed() if row.get("parent")]

    def load(self, memory: Memory, name: str) -> ServedAdapter:
        """Load an adapter and compare it with the trainer's; one that is not the same is unloaded again.

        Who answers is not changed by it: see `Memory.adapters.route`.

        Args:
            memory: that it is of; its folder is read by the server too.
            name: of the adapter.

        Raises:
            NotFound: if there is no such adapter.
            InvalidInput: if it failed its gate or was revoked, or the server refuses it, for example for its rank.
            StoreCorrupt: if its files are not those that were trained.
            ModelChanged: if another base is served, or if what is served then is not what was trained.
            ModelUnavailable: if the server cannot be asked, or cannot load adapters.
        """
        held, folder, probes = self._ready(memory, name)
        rows = self._listed()
        base = self._base(rows, held)
        self._check_base(base, probes, held)
        loaded = next((row for row in rows if row["id"] == name), None)
        if loaded is None:
            self._ask_to_load(held, folder)
        elif Path(str(loaded.get("root"))) != folder:
            raise InvalidInput(
                f"{self.url} serves another adapter as {name}, from {loaded.get('root')}; unload that first: "
                f"agentcl adapters unload {name} --url {self.url}"
            )
        try:
            return self._compared(held, base, probes)
        except ModelChanged:
            self._post("/unload_lora_adapter", {"lora_name": name})
            raise

    def check(self, memory: Memory, name: str) -> ServedAdapter:
        """Compare an adapter that is loaded with the trainer's, for example after the server woke. Raises as `load`."""
        held, _, probes = self._ready(memory, name)
        rows = self._listed()
        if name not in {row["id"] for row in rows}:
            raise NotFound(
                f"{name} is not loaded at {self.url}: agentcl adapters load {name} --url {self.url}"
            )
        return self._compared(held, self._base(rows, held), probes)

    def wake(self, memory: Memory) -> list[ServedAdapter]:
        """Wake a server that sleeps, and compare each adapter that it holds of a memory with the trainer's.

        One that is not what was trained is unloaded, loaded anew and compared again. A server that is awake stays so.

        Raises:
            ModelChanged: if one is not what was trained, also when it is loaded anew; it is unloaded then.
            ModelUnavailable: if the server cannot be asked, or cannot sleep.
        """
        from openai import APIStatusError

        try:
            self._post(f"{self.url.rstrip('/').removesuffix('/v1')}/wake_up", {})
        except APIStatusError as error:
            raise ModelUnavailable(f"{self.url}: {_NO_SLEEP} ({refusal_of(error)})") from error
        known = {one.name for one in memory.adapters.list() if one.state != "revoked"}
        found = []
        for name in self.names():
            if name not in known:
                continue  # another memory's
            try:
                found.append(self.check(memory, name))
            except ModelChanged:
                self.unload(name)
                found.append(self.load(memory, name))
        return found

    @contextmanager
    def trying(self, held: Adapter, folder: str | os.PathLike[str]) -> Iterator[TriedAdapter]:
        """Load an adapter that nobody judged yet, for the length of a `with` block.

        Raises:
            InvalidInput: if the server refuses it, for example for its rank, or `folder` is no path.
            ModelChanged: if another base is served, or if what is served then is not what was trained.
            ModelUnavailable: if the server cannot be asked, or cannot load adapters.
        """
        folder = check_path(folder, "folder")
        probes, rows = read_smoke(folder), self._listed()
        base = self._base(rows, held)
        self._check_base(base, probes, held)
        before = [self.scores(base, one.prompt, one.answer) for one in probes]
        if held.name not in {row["id"] for row in rows}:
            self._ask_to_load(held, folder)
        try:
            found = self._compared(held, base, probes)
            after = [self.scores(base, one.prompt, one.answer) for one in probes]
            moved = max(distance(a, b) for a, b in zip(before, after, strict=True))
            yield TriedAdapter(found, moved < _LEAST)
        finally:
            with suppress(AgentclError):  # what went wrong before is told
                self.unload(held.name)

    def unload(self, name: str) -> None:
        """Unload an adapter. Its weights stay in the server's memory until it needs the place.

        Raises:
            NotFound: if it is not loaded there.
            ModelUnavailable: if the server cannot be asked, or cannot unload adapters.
        """
        from openai import APIStatusError

        if name not in self.names():
            raise NotFound(f"{name} is not loaded at {self.url}")
        try:
            self._post("/unload_lora_adapter", {"lora_name": name})
        except APIStatusError as error:
            self._refused(error, name)

    def _ready(self, memory: Memory, name: str) -> tuple[Adapter, Path, list[SmokeProbe]]:
        held = memory.adapters.get(name)
        if held.state in ("built", "revoked"):
            why = "was revoked" if held.state == "revoked" else "has not passed its gate"
            raise InvalidInput(f"the adapter {name} {why} ({held.reason}), so it is not served")
        folder = memory.adapters.verify(name).resolve()
        probes = read_smoke(folder)
        if max(one.difference for one in probes) < _LEAST:
            raise InvalidInput(
                f"the adapter {name} changes its base by less than {_LEAST} nats a token, so nobody can see whether it "
                "is served; train it for more steps"
            )
        return held, folder, probes

    def _base(self, rows: Sequence[dict[str, Any]], held: Adapter) -> str:
        """Return the name of the base; where its folder can be read here, its weights are compared with the adapter's."""
        bases = {row["id"]: str(row.get("root") or "") for row in rows if not row.get("parent")}
        if self._model and self._model not in bases:
            raise InvalidInput(f"{self.url} serves {', '.join(bases)}, and no {self._model!r}")
        if not bases or (not self._model and len(set(bases.values())) > 1):
            raise InvalidInput(
                f"on which model of {self.url}? Name it with --model: {', '.join(bases)}"
            )
        name = self._model or next(iter(bases))
        folder = Path(bases[name])
        if folder.is_absolute() and (folder / "config.json").is_file():
            check_base(held, folder)
        return name

    def _check_base(self, base: str, probes: Sequence[SmokeProbe], held: Adapter) -> float:
        """Compare the server's base with the trainer's; return how far they are apart. Raises ModelChanged."""
        apart = _mean([distance(self._of(base, one), one.base) for one in probes])
        if apart > _allowed(probes):
            raise ModelChanged(
                f"{base} at {self.url} is not the model that {held.name} was trained on ({held.base}): its "
                f"log-probabilities are {apart:.2f} nats a token away; serve that base in the same number format"
            )
        return apart

    def _compared(self, held: Adapter, base: str, probes: Sequence[SmokeProbe]) -> ServedAdapter:
        base_error = self._check_base(base, probes, held)
        served = [self._of(held.name, one) for one in probes]
        alone = [self._of(base, one) for one in probes]
        found = ServedAdapter(
            name=held.name,
            base=base,
            error=_mean([distance(s, one.adapter) for s, one in zip(served, probes, strict=True)]),
            base_error=base_error,
            change=_mean([distance(s, a) for s, a in zip(served, alone, strict=True)]),
            trained_change=_mean([one.difference for one in probes]),
        )
        if found.change < found.trained_change / 2:
            raise ModelChanged(
                f"{self.url} loaded {held.name} and answers as the bare model does (it changes {found.change:.3f} nats a "
                f"token, and changed {found.trained_change:.3f} when it was trained); do its modules meet the server's "
                "--lora-target-modules?"
            )
        if found.error > _allowed(probes):
            raise ModelChanged(
                f"{self.url} serves {held.name} otherwise than it was trained: {found.error:.3f} nats a token away, where "
                f"{_allowed(probes):.3f} are allowed"
            )
        return found

    def _ask_to_load(self, held: Adapter, folder: Path) -> None:
        from openai import APIStatusError

        try:
            self._post("/load_lora_adapter", {"lora_name": held.name, "lora_path": str(folder)})
        except APIStatusError as error:
            self._refused(error, held.name)

    def _refused(self, error: APIStatusError, name: str) -> NoReturn:
        """Tell why a server loads or unloads nothing, and what to do."""
        said = refusal_of(error)
        lowered = said.lower()
        if error.status_code == 404 and "lora" not in lowered:
            raise ModelUnavailable(f"{self.url}: {_NO_ROUTE}") from error
        if "not enabled" in lowered:
            raise ModelUnavailable(f"{self.url}: {_NO_ROUTE} ({said})") from error
        if "rank" in lowered:
            raise InvalidInput(
                f"{self.url} takes no adapter of the rank of {name}: start vLLM with a larger --max-lora-rank, or "
                f"train with a smaller --rank ({said})"
            ) from error
        if error.status_code == 404:
            raise InvalidInput(
                f"{self.url} does not find the files of {name}: the server reads the folder by its own path ({said})"
            ) from error
        raise InvalidInput(f"{self.url} refuses {name}: {said}") from error

    def _of(self, model: str, probe: SmokeProbe) -> tuple[float, ...]:
        return self.scores(model, probe.prompt, probe.answer)

    def said(self, model: str, prompt: str, *, most_tokens: int) -> str:
        """Return what a model says, greedily, to a prompt as a conversation of its own. Raises ModelUnavailable."""
        from openai import OpenAIError

        body = {
            "model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": most_tokens,
            "temperature": 0,
        }  # fmt: skip
        try:
            told = ask_endpoint(self._client, "/chat/completions", body)
            return str(told["choices"][0]["message"]["content"] or "")
        except (OpenAIError, OddAnswer) as error:
            raise ModelUnavailable(f"{self.url} cannot be asked: {told_by(error)}") from error
        except (KeyError, TypeError, IndexError) as error:
            raise ModelUnavailable(f"{self.url} gives no answer of a chat: {error!r}") from error

    def scores(self, model: str, prompt: Sequence[int], answer: Sequence[int]) -> tuple[float, ...]:
        """Return the server's log-probability of each token of an answer, in nats.

        Each token is asked for alone, as the only one that is allowed next. vLLM tells all of them at once as
        `prompt_logprobs`, but with adapters that takes those of others in its batch, or ends the server (vLLM 16668).

        Args:
            model: its name there.
            prompt: as tokens of the base.
            answer: likewise.

        Raises:
            ModelUnavailable: if it cannot be asked, or does not tell.
        """
        from openai import OpenAIError

        def asked(place: int) -> float:
            body = {
                "model": model, "prompt": [*prompt, *answer[:place]], "max_tokens": 1, "temperature": 0,
                "logprobs": 0, "allowed_token_ids": [answer[place]], "ignore_eos": True,
            }  # fmt: skip
            told = ask_endpoint(self._client, "/completions", body)["choices"][0]["logprobs"]
            (score,) = told["token_logprobs"]
            return float(score)

        try:
            return tuple(self._threads.map(asked, range(len(answer))))
        except (OpenAIError, OddAnswer) as error:
            raise ModelUnavailable(f"{self.url} cannot be asked: {told_by(error)}") from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelUnavailable(
                f"{self.url} does not tell the log-probability of a token that is allowed alone, as vLLM does "
                f"(allowed_token_ids, logprobs): {error!r}"
            ) from error

    def _listed(self) -> list[dict[str, Any]]:
        from openai import OpenAIError

        try:
            return listed_models(self._client)
        except (OpenAIError, OddAnswer) as error:
            raise ModelUnavailable(
                f"{self.url} cannot be asked: {told_by(error)}; check that the server runs, and that the address ends "
                "in /v1"
            ) from error

    def _post(self, path: str, body: dict[str, Any]) -> None:
        """Post, where only the status tells. Raises APIStatusError, and ModelUnavailable if nobody answers."""
        from openai import APIConnectionError

        try:
            self._client.post(path, body=body, cast_to=object, options={"max_retries": 0})
        except APIConnectionError as error:
            raise ModelUnavailable(
                f"{self.url} went away while it was asked: {told_by(error)}; start it again, and load anew"
            ) from error


def _allowed(probes: Sequence[SmokeProbe]) -> float:
    return max(_ROUNDING, _PART * _mean([one.difference for one in probes]))


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
