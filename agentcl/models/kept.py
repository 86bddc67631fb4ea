"""Models that are kept on this machine: a folder for each, with a note of what it is and where it came from.

The cache is `$AGENTCL_MODELS`, else `agentcl/models` in the user's cache folder. A model is put there whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from agentcl.errors import InvalidInput, ModelUnavailable, StorageFull, StoreBusy, StoreUnavailable
from agentcl.store.sqlite.locks import held_lock
from agentcl.text.homes import cache_folder
from agentcl.text.saving import save_text
from agentcl.text.suggesting import did_you_mean

Format = Literal["safetensors", "gguf"]
_ABOUT: Final = "agentcl-model.json"
_UNPACKED: Final = "unpacked"  # the safetensors made of a GGUF, in the model's folder
_PARTIAL: Final = ".partial-"
_LOCKS: Final = ".locks"
_WAIT_S: Final = 0.2  # between two looks at a lock
_BLOCK: Final = 1 << 20
_SPARE: Final = 256 << 20  # bytes that a disk keeps free


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model in the cache.

    Attributes:
        name: what it is opened by.
        path: what loads it: the folder of safetensors, or the GGUF file.
        source: where it came from.
        licence: as its source names it; empty if it names none.
        format: "safetensors" or "gguf".
        size: bytes of all its files.
        sha256: hex digests by file.
        fetched_at: when it was put here.
    """

    name: str
    path: Path
    source: str
    licence: str
    format: Format
    size: int
    sha256: dict[str, str]
    fetched_at: datetime


def models_folder() -> Path:
    """Return the folder of the cache; it need not exist. Raises ConfigError if the user has no home."""
    if named := os.environ.get("AGENTCL_MODELS"):
        return Path(named)
    return cache_folder("models")


def kept_models() -> list[KeptModel]:
    """Return the models of the cache, by name. What is no model of ours is left out."""
    found = []
    for about in models_folder().glob(f"*/{_ABOUT}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if not about.parent.name.startswith(_PARTIAL):
                found.append(_read(about))
    return sorted(found, key=lambda model: model.name)


def kept_model(name: str) -> KeptModel | None:
    """Return the model of that name, or None."""
    return next((model for model in kept_models() if model.name == name), None)


def remove_model(name: str) -> KeptModel:
    """Delete a model from the cache and return what it was. Raises ModelUnavailable if it is not there."""
    model = kept_model(name)
    if model is None:
        raise not_kept(name)
    _discard(_folder(name))
    return model


def not_kept(name: str) -> ModelUnavailable:
    """Return the error that says which models there are."""
    names = [model.name for model in kept_models()]
    advice = f"fetch it with `agentcl model get {name}`, or name a folder; kept here: "
    return ModelUnavailable(
        f"there is no model {name!r} on this machine"
        + did_you_mean(name, names, advice + (", ".join(names) or "none"))
    )


@contextlib.contextmanager
def alone(name: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have the right to put a model together, as one thread of one process at a time has.

    Args:
        name: of the model.
        on_wait: called once if another has it; this waits as long as that takes.

    Raises:
        InvalidInput: if no folder can have that name.
        ModelUnavailable: if the cache cannot be written.
    """
    _folder(name)
    key = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    told = False
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(_lock(key))
                break
            except StoreBusy:
                if not told:
                    on_wait()
                told = True
                time.sleep(_WAIT_S)
            except (OSError, StoreUnavailable) as error:
                raise ModelUnavailable(
                    f"cannot write to the models in {models_folder()}: {error}"
                ) from error
        yield


def _lock(key: str) -> contextlib.AbstractContextManager[None]:
    locks = models_folder() / _LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    # Who may write to the models may lock them.
    return held_lock(locks, key, mode=models_folder().stat().st_mode & 0o666)


@contextlib.contextmanager
def staging(name: str) -> Iterator[Path]:
    """Yield the folder in which a model is put together; `keep` makes it one of the cache.

    It stays when the block raises, so that the next try goes on from there.

    Raises:
        InvalidInput: if no folder can have that name.
        StorageFull: if the disk is full.
        ModelUnavailable: if the cache cannot be written.
    """
    folder = _folder(name)
    staged = folder.with_name(_PARTIAL + folder.name)
    try:
        staged.mkdir(parents=True, exist_ok=True)
        yield staged
    except OSError as error:
        if error.errno in (28, 122):  # no space left, quota exceeded
            raise StorageFull(f"the disk of {staged.parent} is full; free some room") from error
        raise ModelUnavailable(f"cannot write to the models in {staged.parent}: {error}") from error


def keep(
    staged: Path, name: str, *, source: str, licence: str, sha256: dict[str, str], format: Format
) -> KeptModel:
    """Make a staged folder a model of the cache, in place of one of that name."""
    about = {
        "name": name,
        "source": source,
        "licence": licence,
        "format": format,
        "sha256": sha256,
        "size": sum((staged / file).stat().st_size for file in sha256),
        "fetched_at": datetime.now(UTC).isoformat(),
    }
    save_text(staged / _ABOUT, json.dumps(about, indent=2) + "\n")
    folder = _folder(name)
    if folder.exists():
        _discard(folder)
    staged.rename(folder)
    return _read(folder / _ABOUT)


def need_room(folder: Path, size: int) -> None:
    """Look whether a disk has room for so many bytes. Raises StorageFull."""
    free = shutil.disk_usage(folder).free
    if size + _SPARE > free:
        raise StorageFull(
            f"this takes {size / 1e9:,.1f} GB, and {folder} has {free / 1e9:,.1f} GB free; free some room, or "
            "name another folder in AGENTCL_MODELS"
        )


def digest_of(file: Path) -> str:
    """Return the sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def is_unpacked(model: KeptModel) -> bool:
    """Return whether `unpacked` has nothing to do any more."""
    return model.format == "safetensors" or (model.path.parent / _UNPACKED).is_dir()


def unpacked(model: KeptModel) -> Path:
    """Return a folder of safetensors that transformers and vLLM load; a GGUF is unpacked once, in bfloat16.

    Raises:
        MissingExtra: if the packages that unpack are not installed.
        ModelUnavailable: if it is a GGUF of an architecture that transformers does not know.
    """
    if model.format == "safetensors":
        return model.path
    target = model.path.parent / _UNPACKED
    if target.is_dir():
        return target
    from agentcl.models.unpacking import unpack_apart

    with alone(model.name):
        if not target.is_dir():  # else another has done it meanwhile
            partial = target.with_name(f"{_UNPACKED}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            need_room(model.path.parent, 4 * model.size)  # some 4.5 bits a weight become 16
            unpack_apart(model.path, partial)
            partial.rename(target)
    return target


def _discard(folder: Path) -> None:
    # Out of sight first: whoever opens a model meets a whole one or none.
    away = folder.with_name(f"{_PARTIAL}removed-{folder.name}")
    shutil.rmtree(away, ignore_errors=True)
    folder.rename(away)
    shutil.rmtree(away)


def _folder(name: str) -> Path:
    spelt = re.sub("[/:]", "--", name)  # no system takes the first in a name, and not all the other
    if not spelt or spelt.startswith(".") or not spelt.replace("\\", "/") == spelt or "\0" in spelt:
        raise InvalidInput(f"a model cannot be called {name!r}; use letters, digits, -, _ and .")
    return models_folder() / spelt


def _read(about: Path) -> KeptModel:
    plain = json.loads(about.read_text("utf-8"))
    files = dict(plain["sha256"])
    path = about.parent
    if plain["format"] == "gguf":
        (file,) = files
        path = about.parent / Path(file).name  # never out of its folder, whatever the note says
    return KeptModel(
        name=str(plain["name"]),
        path=path,
        source=str(plain["source"]),
        licence=str(plain["licence"]),
        format=plain["format"],
        size=int(plain["size"]),
        sha256=files,
        fetched_at=datetime.fromisoformat(plain["fetched_at"]),
    )
