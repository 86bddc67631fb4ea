"""What the page reads beside the verbs of a memory: whom it speaks with, and what is stored, page by page."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

from agentcl.errors import InvalidInput, needs
from agentcl.server.parts import Parts, Reading
from agentcl.server.proxy.preparing import check_model
from agentcl.server.settings import SoftServing
from agentcl.store.conversations import Conversation, Turn
from agentcl.store.records import ANY, SCOPE_FIELDS, Record, body
from agentcl.text.endpoint import NO_KEY
from agentcl.text.parsing import parsed_json
from agentcl.text.visible import shortened
from agentcl.wire.codec import to_json

with needs("the server", "serve"):
    import httpx
    from fastapi import APIRouter, FastAPI, Query

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_SHOWN: Final = 240  # characters of a text in a list
_LOOK_S: Final = 3.0  # for an endpoint to name its models
_MOST: Final = 200  # records of a page
_KEPT: Final = 50  # fingerprints
_COUNTED: Final = ("document", "conversation", "statement", "guidance")
_DATED: Final = ("document", "turn", "statement", "episode")
_TOLD: Final = (
    "title",
    "uri",
    "text",
    "media_type",
    "task",
    "application",
    "score",
    "role",
    "said_at",
)
_MOST_TURNS: Final = 50  # of an exchange
_FIRST: Final = 5  # turns among which a conversation shows how it began
Offset = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=_MOST)]


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add what stands under `/v1/page/`: who is spoken with, and lists of what is stored, page by page."""
    router = APIRouter(prefix="/v1/page", tags=["page"])
    upstream = Upstream(parts.settings.upstream, parts.settings.upstream_key)

    @router.get("/about", summary="What this server holds, and what this key opens")
    def about(access: Reading) -> dict[str, Any]:
        # Of all that `stats` counts only this is told, and counting takes long where much is stored.
        encoder = access.memory.store.journal.encoder()
        return {
            "version": version("agentcl"),
            "scope": dict(access.scope),
            "rights": sorted(access.rights),
            "records": {
                kind: access.memory.store.page(kind=kind, limit=1).total for kind in _COUNTED
            },
            "began": _began(access.memory),
            "encoder": "" if encoder is None else encoder.name,
            "has_model": bool(parts.settings.upstream),
            "models": [*filter(access.memory.adapters.allows, upstream.models())],
            "soft": _soft(parts.settings.soft),
        }

    @router.get("/model", summary="The fingerprint of the model, measured now")
    def model(access: Reading, name: str = "") -> dict[str, Any]:
        check_model(name, access)
        return upstream.measured(name)

    @router.get("/records", summary="A page of records, newest change first")
    def records(
        access: Reading,
        kind: str = "document",
        offset: Offset = 0,
        limit: Limit = 50,
        as_of: datetime | None = None,
    ) -> dict[str, Any]:
        page = access.memory.store.page(kind=kind, offset=offset, limit=limit, as_of=as_of)
        told = [_told(one) for one in page.records]
        for line, one in zip(told, page.records, strict=True):
            if isinstance(one, Conversation):
                line["text"] = _opening(access.memory, one)
        return {"total": page.total, "records": told}

    @router.get("/statements", summary="A page of what holds, or held at a moment, newest first")
    def statements(
        access: Reading, offset: Offset = 0, limit: Limit = 50, as_of: datetime | None = None
    ) -> dict[str, Any]:
        at: dict[str, Any] = {"coming": True} if as_of is None else {"valid_at": as_of}
        found = access.memory.statements.list(**at)
        return _page([*reversed(found)], offset, limit)

    @router.get("/lessons", summary="A page of lessons, the proved first, then the most useful")
    def lessons(
        access: Reading, offset: Offset = 0, limit: Limit = 50, as_of: datetime | None = None
    ) -> dict[str, Any]:
        return _page(access.memory.lessons.list(as_of=as_of), offset, limit)

    @router.get("/learned", summary="What turns state, and what that replaced")
    def learned(
        access: Reading, turns: Annotated[list[str], Query(max_length=_MOST_TURNS)]
    ) -> dict[str, Any]:
        wanted = set(turns)
        known = access.memory.statements.list(valid_at=ANY, all=True, coming=True)
        said = [one for one in known if wanted & {*one.sources}]
        ids = {one.id for one in said}
        replaced = [one for one in known if one.replaced_by in ids]
        return {"statements": to_json(said), "replaced": to_json(replaced)}

    app.include_router(router)


class Upstream:
    """The endpoint of the model, as the page shows it.

    Args:
        url: its address; empty for none.
        key: for it; empty for none. One that is meant for others, as OPENAI_API_KEY may be, is not sent there.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self._url = url.rstrip("/")
        self._key = key or NO_KEY
        self._lock = threading.Lock()
        self._measured: dict[str, list[tuple[str, str]]] = {}  # by model: when, and the fingerprint

    def models(self) -> list[str]:
        """Return the names of the models that it serves; none where it does not answer."""
        if not self._url:
            return []
        try:
            named = {"authorization": f"Bearer {self._key}"}
            answer = httpx.get(f"{self._url}/models", timeout=_LOOK_S, headers=named)
            answer.raise_for_status()
            return [str(one["id"]) for one in parsed_json(answer.content)["data"]]
        except (httpx.HTTPError, ValueError, TypeError, KeyError):
            return []

    def measured(self, name: str) -> dict[str, Any]:
        """Measure the fingerprint of a model, and return it with all that were measured before.

        Raises:
            ModelUnavailable: if the model cannot be asked.
            InvalidInput: if there is no endpoint.
            MissingExtra: if the client for it is not installed.
        """
        if not self._url:
            raise InvalidInput("this server has no model behind it; start it with --upstream URL")
        from agentcl.models.openai import OpenAIChat

        asked = OpenAIChat(name, base_url=self._url, api_key=self._key, retries=0)
        with self._lock, asked as model:
            fingerprint = model.fingerprint()
            at = datetime.now(UTC).isoformat(timespec="seconds")
            measured = self._measured.pop(name, [])[1 - _KEPT :]
            measured.append((at, fingerprint))
            self._measured[name] = measured  # the last one of many names
            if len(self._measured) > _KEPT:
                del self._measured[next(iter(self._measured))]
        return {
            "model": name,
            "fingerprint": measured[-1][1],
            "measured": [{"at": at, "fingerprint": one} for at, one in measured],
            "is_unchanged": len({one for _, one in measured}) == 1,
        }


def _soft(serving: SoftServing) -> dict[str, Any]:
    """Return whether the model can have soft memories; if not, why."""
    codec = serving.codec
    return {
        "codec": "" if codec is None else codec.name,
        "is_on": codec is not None and serving.is_on,
        "reason": serving.reason if codec is None else "",
    }


def _began(memory: Memory) -> str | None:
    """Return when the oldest of what is stored was recorded."""
    oldest = [one for kind in _DATED for one in memory.list(kind=kind, limit=1)]
    return min((_iso(one.created_at) for one in oldest), default=None)


def _page(found: Sequence[object], offset: int, limit: int) -> dict[str, Any]:
    """Return a part of a list, with how long the whole of it is."""
    return {"total": len(found), "records": to_json([*found[offset : offset + limit]])}


def _told(record: Record) -> dict[str, Any]:
    """Return a record as a line of a list: what it is called, and how it begins."""
    own = body(record)
    return {
        "id": record.id,
        "version": record.version,
        "scope": {name: value for name in SCOPE_FIELDS if (value := getattr(record.scope, name))},
        "created_at": _iso(record.created_at),
        "key": record.key or "",
        **{name: shortened(str(own[name]), _SHOWN) for name in _TOLD if name in own},
    }


def _opening(memory: Memory, one: Conversation) -> str:
    """Return the first words of the user in a conversation; empty where they are not among its first turns."""
    turns = memory.store.journal.records(Turn, view=one.scope.view(), source=one.id)
    for turn in islice(turns, _FIRST):
        if turn.role == "user":
            return shortened(turn.text, _SHOWN)
    return ""


def _iso(moment: datetime) -> str:
    return moment.isoformat()
