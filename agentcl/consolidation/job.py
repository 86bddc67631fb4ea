"""The job of consolidating: choose, build, train in a process of its own, judge, register."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl import errors
from agentcl.consolidation.base import check_base, fingerprint_of, folder_of
from agentcl.consolidation.bounds import AdapterMeasures, GateBounds, judge
from agentcl.consolidation.choosing_rows import write_choosing
from agentcl.consolidation.general import Probe
from agentcl.consolidation.recipes import Recipe
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.consolidation.rows.building import ROWS, rows_of, rows_text, save, write
from agentcl.consolidation.rows.selecting import ChoicePolicy, Selection, select
from agentcl.consolidation.served_gate import measure_served
from agentcl.consolidation.serving import AdapterServer
from agentcl.consolidation.sharding import reuse_shards
from agentcl.errors import (
    EncoderUnavailable,
    InvalidInput,
    MissingExtra,
    NotEquipped,
    NotFound,
    NotTrusted,
    ProcessFailed,
    StorageFull,
    StoreCorrupt,
    VersionConflict,
)
from agentcl.jobs.runner import Progress
from agentcl.memory.adapters.files import erase_files, hashes_of
from agentcl.memory.adapters.revoking import CONSOLIDATE, ancestors
from agentcl.memory.trusted import LOADED, confirm, confirmed
from agentcl.process import ChildProcess
from agentcl.store.adapters import Adapter
from agentcl.store.jobs import Job, Price
from agentcl.store.records import SCOPE_FIELDS, Scope
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import make_folder

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

logger = logging.getLogger(__name__)
_SPEC: Final = "spec.json"
_FOUND: Final = "found.json"  # what was trained and measured, until it is judged
_ENDED_S: Final = 60.0  # between the last line of the trainer and its end


@dataclass(frozen=True, slots=True)
class ConsolidationWish:
    """What a consolidation is to do; the spec of its job."""

    base: str  # the name of a kept model, or a folder
    policy: ChoicePolicy = field(default_factory=ChoicePolicy)
    recipe: Recipe = field(default_factory=Recipe)
    bounds: GateBounds = field(default_factory=GateBounds)
    parent: str = ""  # the name of an adapter to train on from; default: from the base
    forgotten: tuple[Probe, ...] = ()  # what must not be known
    at: str = ""  # ISO 8601: when statements have to hold; default: when the job was asked for
    only: tuple[str, ...] = ()  # ids of the records that may be chosen; default: all

    def spec(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(json.loads(json.dumps(asdict(self))))

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> ConsolidationWish:
        """Read a spec. Raises InvalidInput."""
        try:
            recipe = dict(spec.get("recipe", {}))
            if isinstance(recipe.get("targets"), list):
                recipe["targets"] = tuple(recipe["targets"])
            recipe["methods"] = tuple(recipe.get("methods", ()))
            probes = (
                Probe(p, answer, tuple(others)) for p, answer, others in spec.get("forgotten", ())
            )
            wish = cls(
                base=spec["base"],
                policy=ChoicePolicy(**spec.get("policy", {})),
                recipe=Recipe(**recipe),
                bounds=GateBounds(**spec.get("bounds", {})),
                parent=spec.get("parent", ""),
                forgotten=tuple(probes),
                at=spec.get("at", ""),
                only=tuple(spec.get("only", ())),
            )
            if wish.at:
                datetime.fromisoformat(wish.at)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"a consolidate job needs `base`, and perhaps `policy`, `recipe`, `bounds`, `parent`, `forgotten`, "
                f"`at` and `only`: {error}"
            ) from error
        if not isinstance(wish.base, str) or not wish.base:
            raise InvalidInput("a consolidate job needs `base`, the name or folder of a model")
        if wish.parent and wish.recipe.shards > 1:
            raise InvalidInput(
                "shards are trained from the base alone, so that each can be trained anew: leave out the parent, or the "
                "shards"
            )
        return wish


class Consolidate:
    """Who does consolidate jobs; hand it over with `memory.jobs.add_kind(Consolidate(memory))`.

    A job names a model, and perhaps files. A memory that was received may hold such jobs too. So nothing is loaded that
    the user did not name himself: by asking for the job, by `named`, or by `agentcl trust`.

    Args:
        memory: whose records move into adapters.
        server: that will serve the adapter, and is asked by the gate; default: all is measured in the trainer's process.
        named: the models and files that jobs may load, whoever asked for them.
    """

    name = CONSOLIDATE

    def __init__(
        self, memory: Memory, *, named: Iterable[str] = (), server: AdapterServer | None = None
    ) -> None:
        self._memory = memory
        self._server = server
        self._adapters = memory.adapters
        self._named = frozenset(named)

    def confirm(self, spec: Mapping[str, Any]) -> None:
        """Keep that the user himself named what a spec loads. Raises InvalidInput."""
        confirm(self._memory.path, loaded_by(spec))

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Return the number of training steps. Raises InvalidInput."""
        return Price(ConsolidationWish.of(spec).recipe.steps)

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Consolidate; a job that was cut off goes on with its adapter from the last checkpoint.

        Raises:
            InvalidInput: if nothing is proved, or the base cannot be trained.
            ModelChanged: if the base is not the one of the parent, or of the first part of this job.
            NotEquipped: if the user never named what the job loads.
            ProcessFailed: if the trainer dies; running the job again goes on.
        """
        wish = ConsolidationWish.of(job.spec)
        self._check_named(job.spec)
        base = folder_of(wish.base)
        if self._server is not None:
            self._server.names()  # before hours of training: it is there
        parent = self._parent(wish, base)
        held = self._begun(job.id) or self._begin(job, wish, base, parent)
        check_base(held, base)
        folder = self._adapters.folder(held.name)
        spec = {
            "base": str(base),
            "rows": str(folder / ROWS),
            "folder": str(folder),
            "recipe": asdict(wish.recipe),
            "parent": str(self._adapters.folder(parent.name)) if parent else "",
            "forgotten": wish.forgotten,
            **self._stable(held),
        }
        served: Mapping[str, Any] = {}
        try:
            if wish.recipe.shards > 1:
                spec["keys"] = reuse_shards(self._memory, held, wish.recipe)
            found = _kept(folder) or _work(
                folder, spec, progress, lambda: should_stop() or self._is_revoked(held)
            )
            if found is not None and self._server is not None and not self._is_revoked(held):
                write(
                    folder / _FOUND, json.dumps(found)
                )  # a server that is away costs no second training
                served = measure_served(
                    self._server, self._memory, held, base=base, forgotten=wish.forgotten,
                    stable=Path(spec["stable"]) if "stable" in spec else None, still=spec.get("old", ()),
                )  # fmt: skip
        finally:
            if self._is_revoked(held):  # its trainer may have written after the files were erased
                erase_files(self._memory.path, [held.name])
        if self._is_revoked(held):
            raise VersionConflict(
                f"the adapter {held.name} was revoked while it was trained, as when what it holds is forgotten; "
                "consolidate anew"
            )
        if found is None:
            return
        (folder / _FOUND).unlink(missing_ok=True)
        self._write_vectors(folder)
        report = judge(AdapterMeasures(**found["measured"]), wish.bounds, served=served)
        trained = found["trained"]
        losses: Sequence[float] = trained["losses"]
        method = {
            **held.method,
            "steps_done": trained["steps"],
            "rows_left_out": trained["left_out"],
            "is_cut_short": trained["is_cut_short"],
            **({"shards_trained": trained["shards"]} if wish.recipe.shards > 1 else {}),
            "loss": [one if math.isfinite(one) else None for one in (*losses[:1], *losses[-1:])],
        }
        judged(self._memory, held.name, gate=report, files=hashes_of(folder), method=method)
        if wish.only:
            self._erase_shards(job.scope)

    def result(self, job: str) -> Adapter | None:
        """Return the adapter that a job made, or is making."""
        found = [one for one in self._adapters.list() if one.method.get("job") == job]
        return found[-1] if found else None

    def _write_vectors(self, folder: Path) -> None:
        """Write by what several adapters are chosen between, if the memory has an encoder by meaning that answers."""
        try:
            if not (encoder := self._memory.store.encoder).is_lexical:
                write_choosing(folder, encoder)
        except (EncoderUnavailable, InvalidInput, MissingExtra, NotTrusted) as error:
            logger.warning("nothing will choose between this adapter and others: %s", error)

    def _stable(self, held: Adapter) -> dict[str, Any]:
        """Return the folder of the adapter that answers in the same scope now, with the records that are as it learned."""
        for one in self._adapters.list():
            if one.scope != held.scope or one.state != "stable" or one.weights != held.weights:
                continue
            try:
                folder = self._adapters.verify(one.name)
            except StoreCorrupt:
                return {}
            still = [kept.id for kept in self._adapters.why(one.name) if kept.now == "as it was"]
            return {"stable": str(folder), "old": still} if (folder / ROWS).is_file() else {}
        return {}

    def _erase_shards(self, scope: Scope) -> None:
        """Erase what was kept of revoked adapters of a scope, to be trained anew from."""
        gone = [
            one.name
            for one in self._adapters.list()
            if one.scope == scope and one.state == "revoked" and one.shards > 1
        ]
        erase_files(self._memory.path, gone)

    def _check_named(self, spec: Mapping[str, Any]) -> None:
        known = confirmed(self._memory.path)
        for key, name in loaded_by(spec).items():
            if name not in self._named and known.get(key) != name:
                raise NotEquipped(
                    f"the job names {name!r}, and you never did; nothing was loaded. If you want it, say so: "
                    "`agentcl jobs run --load NAME`, or `agentcl trust` for the whole folder"
                )

    def _is_revoked(self, held: Adapter) -> bool:
        try:
            return self._adapters.get(held.name).state == "revoked"
        except NotFound:  # all of its scope was forgotten
            return True

    def _parent(self, wish: ConsolidationWish, base: Path) -> Adapter | None:
        if not wish.parent:
            return None
        parent = self._adapters.get(wish.parent)
        if parent.state == "revoked":
            raise InvalidInput(f"{parent.name} was revoked ({parent.reason}); train from the base")
        check_base(parent, base)
        self._adapters.verify(parent.name)
        return parent

    def _begun(self, job: str) -> Adapter | None:
        """Return what this job began before it was cut off."""
        held = self.result(job)
        if held is None or held.state != "built" or held.gate:
            return None
        if not (self._adapters.folder(held.name) / ROWS).is_file():
            self._adapters.revoke(held.name, reason="it was cut off before its rows were written")
            return None
        return held

    def _begin(
        self, job: Job, wish: ConsolidationWish, base: Path, parent: Adapter | None
    ) -> Adapter:
        scope: Any = {name: v for name in SCOPE_FIELDS if (v := getattr(job.scope, name))}
        at = datetime.fromisoformat(wish.at) if wish.at else job.created_at
        selection = select(self._memory, policy=wish.policy, at=at, only=wish.only, **scope)
        rows = rows_of(self._memory, selection, shards=wish.recipe.shards)
        text = rows_text(rows)
        found = fingerprint_of(base)
        digest = hashlib.sha256(f"{text}{found.weights}{wish.spec()}".encode()).hexdigest()
        name = next_name(self._memory, job.scope, digest)
        holds = {one.record.id: one.record.version for one in selection.chosen}
        # Known before a word is written beside the journal: what is forgotten from now on is found there.
        held = register(
            self._memory,
            Adapter(
                id="", scope=job.scope, key=name, base=wish.base, weights=found.weights,
                vocabulary=found.vocabulary, template=found.template, holds=holds,
                lineage=tuple(sorted(ancestors(self._memory.store.journal, holds))),
                parents=(parent.id,) if parent else (), method={"job": job.id, **asdict(wish.recipe)},
                rows=hashlib.sha256(text.encode()).hexdigest(), counts=_counts(selection),
            )
        )  # fmt: skip
        folder = self._adapters.folder(name)
        try:
            make_folder(folder)
        except OSError as error:
            self._adapters.revoke(name, reason="its folder could not be made")
            raise StorageFull(f"cannot make {folder}: {error.strerror}") from error
        how = wish.recipe
        save(folder, rows, selection, share=how.general, seed=how.seed, shards=how.shards)
        return held


def loaded_by(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return what a spec loads from outside of the memory, each by the key under which a user confirms it.

    Raises:
        InvalidInput: if it is no spec.
    """
    wish = ConsolidationWish.of(spec)
    methods = [one for one in wish.recipe.methods if isinstance(one, Mapping)]
    files = [str(one["rows"]) for one in methods if "rows" in one]
    return {f"{LOADED}{name}": name for name in (wish.base, *files)}


def _counts(selection: Selection) -> dict[str, int]:
    return {f"{sort}s": chosen for sort, (chosen, _) in selection.counts().items() if chosen}


def _work(
    folder: Path, spec: Mapping[str, Any], progress: Progress, should_stop: Callable[[], bool]
) -> Mapping[str, Any] | None:
    """Let a process train and measure; None if it was to stop. Raises what went wrong there."""
    file = folder / _SPEC
    file.write_text(json.dumps(spec), "utf-8")
    command = [sys.executable, "-m", "agentcl.consolidation.worker", str(file)]
    result: Mapping[str, Any] | None = None
    with ChildProcess(command, name="the trainer", is_piped=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        with child.stdin, child.stdout as lines:
            for line in lines:
                told = _parsed(line)
                if "error" in told:
                    raise _raised(told["error"], told["message"])
                result = told.get("result", result)
                if "step" in told:
                    progress(told["step"], told["steps"])
                if should_stop():
                    return None
        child.wait(_ENDED_S)
        if result is None:
            raise ProcessFailed(
                f"the trainer ended before it was done ({child.fate()}); run the job again, and it goes on from its "
                f"last checkpoint. The end of what it said:\n{child.tail()}"
            )
    file.unlink()
    return result


def _kept(folder: Path) -> Mapping[str, Any] | None:
    """Return what was trained and measured before its server could not be asked."""
    try:
        found = parsed_json((folder / _FOUND).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        told = parsed_json(line)
    except ValueError:
        return {}  # a library that prints
    return told if isinstance(told, dict) else {}


def _raised(name: str, message: str) -> Exception:
    if name == MissingExtra.__name__:
        return MissingExtra("training adapters", "train")
    kind = getattr(errors, name, None)
    is_ours = isinstance(kind, type) and issubclass(kind, errors.AgentclError)
    return kind(message) if is_ours and kind is not None else ProcessFailed(message)


def unfinished(memory: Memory, wish: ConsolidationWish, scope: Scope) -> Job | None:
    """Return the newest job of a scope with this wish that waits, was cut off, or failed."""
    spec = wish.spec()
    for job in reversed(memory.jobs.list(states=["queued", "running", "failed"])):
        if job.kind == Consolidate.name and job.scope == scope and job.spec == spec:
            return job
    return None
