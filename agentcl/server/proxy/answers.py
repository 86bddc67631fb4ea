"""What is told of exchanges, as types: the OpenAPI document, and what is generated from it, say them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from agentcl.errors import needs

with needs("the server", "serve"):
    from pydantic import BaseModel, ConfigDict, Field

_CLOSED: Final = ConfigDict(extra="forbid")


class ToldPart(BaseModel):
    """What one ranking had to say of a memory."""

    model_config = _CLOSED
    ranking: str
    rank: int = Field(description="1 for its best.")
    score: float = Field(description="In the unit of the ranking.")
    contribution: float = Field(description="How much of the memory's score came from it.")
    link: list[dict[str, str]] = Field([], description="How the graph led there.")


class ToldMemory(BaseModel):
    """A memory that stood in the prompt."""

    model_config = _CLOSED
    number: int = Field(description="In brackets, in the block.")
    id: str
    kind: Literal["statement", "turn", "document"]
    is_gone: Literal[False]
    text: str
    spans: list[tuple[int, int]] = Field(
        description="The characters that are shown; none if all are."
    )
    is_past: bool = Field(description="Whether it held, and does no longer.")
    score: float
    parts: list[ToldPart]
    source: dict[str, Any] = Field(description="Where it comes from.")


class GoneMemory(BaseModel):
    """A memory that stood in the prompt, and was deleted or forgotten since."""

    model_config = _CLOSED
    number: int
    id: str
    kind: Literal["statement", "turn", "document"]
    is_gone: Literal[True]


class ToldPassage(BaseModel):
    """A passage that the model read as soft tokens."""

    model_config = _CLOSED
    id: str
    document: str
    is_gone: Literal[False]
    title: str
    text: str
    tokens: int = Field(description="As text.")
    slots: int = Field(description="As soft tokens.")


class GonePassage(BaseModel):
    """A passage that the model read as soft tokens, and that was deleted or forgotten since."""

    model_config = _CLOSED
    id: str
    document: str
    is_gone: Literal[True]


class ToldSoft(BaseModel):
    """What was shown as soft tokens."""

    model_config = _CLOSED
    way: str = Field(description="What is shown so, or why all is text.")
    codec: str
    tokens: int = Field(description="The soft tokens of all passages.")
    saved: int = Field(description="The tokens that they would take more as text.")
    memories: list[ToldPassage | GonePassage]


class ToldLesson(BaseModel):
    """A lesson that stood in the prompt."""

    model_config = _CLOSED
    id: str
    is_gone: Literal[False]
    text: str


class GoneLesson(BaseModel):
    """A lesson that stood in the prompt, and was deleted or forgotten since."""

    model_config = _CLOSED
    id: str
    is_gone: Literal[True]


class ToldOutcome(BaseModel):
    """How an exchange turned out, and what that credited."""

    model_config = _CLOSED
    score: float = Field(description="From 0, failed, to 1, solved.")
    episode: str = Field(description="The id of the episode; empty if none is kept.")
    memories: list[str] = Field(description="The ids of the memories that were credited.")
    lessons: list[str] = Field(description="The ids of the lessons that were credited.")


class ToldSeconds(BaseModel):
    """How long the parts of an exchange took."""

    model_config = _CLOSED
    recall: float
    first: float | None = Field(description="Until the answer began.")
    whole: float | None = Field(description="Until it ended.")


class ToldExchange(BaseModel):
    """What the memory did in an exchange with the model."""

    model_config = _CLOSED
    id: str = Field(description="In the header `x-agentcl-exchange`.")
    at: datetime
    model: str = Field(description="As the request names it.")
    scope: dict[str, str]
    memory: Literal["on", "off", "read", "write"]
    state: Literal["open", "done", "left", "broken"]
    status: int = Field(description="Of the answer, as HTTP has it; 0 before there is one.")
    shown: list[ToldMemory | GoneMemory]
    text: str = Field(description="The block; empty if some of it was forgotten since.")
    soft: ToldSoft | None = Field(description="None where nobody wants soft tokens.")
    lessons: list[ToldLesson | GoneLesson]
    withheld: int = Field(description="Lessons that a coin left out.")
    episode: str = Field(description="The id of its episode; empty if none is kept.")
    outcome: ToldOutcome | None = Field(description="None: nobody reported any.")
    tokens: int = Field(description="Of the block, and of lessons.")
    is_new: bool = Field(description="Whether the block began anew.")
    kept: float | None = Field(description="The share of the prompt that the last one began with.")
    conversation: str
    remembered: list[str] = Field(description="The ids of the turns that were stored.")
    known: int = Field(description="Messages that were stored before.")
    usage: dict[str, Any] | None = Field(description="As the model counts it.")
    seconds: ToldSeconds
    warning: str = Field(description="What the memory could not do; empty if nothing.")
    adapter: str = Field(description="That answered, or `none` where it could not.")
