"""What stays at the server where a request names it: records, jobs, codecs, digesters, summarisers and extractors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.adapters.revoking import CONSOLIDATE
from agentcl.memory.compressed.codecs import shipped_codec
from agentcl.models.reference.shipped import REFERENCE_NAME
from agentcl.retrieval.encoders.naming import is_own
from agentcl.retrieval.graph.names import NameExtractor
from agentcl.retrieval.recall import Recall
from agentcl.server.problems import Refused
from agentcl.statements.digesters.rules import RuleDigester
from agentcl.store.records import Record
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.verbs import Reference, StandsFor

if TYPE_CHECKING:
    from agentcl.compression.base import Codec
    from agentcl.memory.memory import Memory

T = TypeVar("T")


def resolved(memory: Memory, stands_for: StandsFor, named: Any) -> object:  # noqa: ANN401
    """Return what was named.

    Args:
        memory: the handle of the request; what it does not see cannot be named.
        stands_for: what is meant.
        named: what was sent for it.

    Raises:
        NotFound: if there is no such thing that the handle sees.
        InvalidInput: if nothing has that name.
    """
    if stands_for == "record":
        return _record(memory, Reference(named) if isinstance(named, str) else named)
    if stands_for == "job":
        return memory.jobs.get(named)
    if stands_for == "recall":
        return _seen(memory, named)
    if stands_for == "codec":
        return _named(named, _codecs(memory, named), "codec")
    if stands_for == "digester":
        known = {RuleDigester.name: RuleDigester(), **memory.jobs.digesters}
        return _named(named, known, "digester")
    if stands_for == "summariser":
        return _named(named, memory.jobs.summarisers, "summariser")
    return _named(
        named, {NameExtractor.name: NameExtractor(), **memory.jobs.extractors}, "extractor"
    )


def check_named(given: Mapping[str, Any]) -> None:
    """Refuse what would be asked or loaded by its name, an encoder or a model: only who runs the server names such a one.

    Raises:
        Refused: if it is one.
    """
    spec = given.get("spec")
    name = spec.get("encoder") if isinstance(spec, Mapping) else given.get("encoder")
    if isinstance(name, str) and not is_own(name):
        raise Refused(
            403,
            f"the encoder {name[:60]!r} is asked or loaded by its name, which only who runs this server may choose: "
            "agentcl reembed --encoder ...",
        )
    if given.get("kind") == CONSOLIDATE:
        raise Refused(
            403,
            "a consolidate job loads a model by its name, which only who runs this server may choose: "
            "agentcl consolidate --base ...",
        )


def _codecs(memory: Memory, named: object) -> dict[str, Codec]:
    """Return the codecs by name, with the one that comes with the package if that is meant."""
    shipped = shipped_codec() if named == REFERENCE_NAME else None
    return {**({} if shipped is None else {REFERENCE_NAME: shipped}), **memory.jobs.codecs}


def _record(memory: Memory, named: Reference) -> Record:
    if named.version is None:
        return memory.get(named.id)
    for version in memory.history(named.id):
        if version.version == named.version and version.record is not None:
            return version.record
    raise NotFound(
        f"record {named.id!r} has no version {named.version} that is visible from this scope"
    )


def _seen(memory: Memory, recall: Recall) -> Recall:
    """Return what a search found if the handle sees every record that it names. Raises NotFound."""
    ways = [id for hit in recall for part in hit.parts if part.link for id, _ in part.link.steps]
    ids = [*(hit.id for hit in recall), *ways, *(fact.passage_id for fact in recall.facts)]
    for id in dict.fromkeys(ids):
        memory.get(id, as_of=recall.as_of)
    if any(part.link and not part.link.steps for hit in recall for part in hit.parts):
        raise InvalidInput("a link of this recall has no steps")
    return recall


def _named(name: str, known: Mapping[str, T], what: str) -> T:
    if name not in known:
        meant = did_you_mean(name[:60], known, f"this server has {', '.join(known) or 'none'}")
        raise InvalidInput(f"there is no {what} {name[:60]!r} here{meant}")
    return known[name]
