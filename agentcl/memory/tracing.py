"""Spans for OpenTelemetry, by its conventions for memories of generative AI (`gen_ai.memory.*`, in development)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from agentcl.errors import needs
from agentcl.memory.watching import Deed, watch

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

# The conventions' own opt-in
_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def trace_memories(
    provider: TracerProvider | None = None, *, contents: bool | None = None
) -> Callable[[], None]:
    """Tell OpenTelemetry of each act of every memory of this process: a span around it.

        from agentcl.memory import trace_memories

        end = trace_memories()  # with the provider that the program has set up
        ...
        end()

    A span is called by its operation: `search_memory`, `create_memory`, `upsert_memory`, `update_memory`,
    `delete_memory`. It has the memory's id, how many records it was about, the record's id where it was one, and the
    class of an error.

    Args:
        provider: of tracers; default: the program's.
        contents: add questions and texts. Default: what `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says,
            and no without it.

    Returns:
        What ends it.

    Raises:
        MissingExtra: without OpenTelemetry.
    """
    with needs("spans", "otel"):
        from opentelemetry.trace import SpanKind, StatusCode, get_tracer
    tracer = get_tracer("agentcl", version("agentcl"), provider)
    if contents is None:
        contents = os.environ.get(_CONTENT, "").strip().lower() == "true"

    @contextmanager
    def span(act: Deed) -> Iterator[None]:
        with tracer.start_as_current_span(
            act.operation,
            kind=SpanKind.INTERNAL,
            attributes={
                "gen_ai.operation.name": act.operation,
                "gen_ai.memory.store.id": act.store,
            },
            record_exception=False,  # a message of an error may hold what was stored
            set_status_on_exception=False,
        ) as opened:
            if contents and act.query:
                opened.set_attribute("gen_ai.memory.query.text", act.query)
            try:
                yield
            except Exception as error:
                opened.set_attribute("error.type", type(error).__name__)
                opened.set_status(StatusCode.ERROR)
                raise
            opened.set_attribute("gen_ai.memory.record.count", len(act.records))
            if len(act.records) == 1 and act.operation != "search_memory":
                opened.set_attribute("gen_ai.memory.record.id", act.records[0][0])
            if contents and any(text for _, text in act.records):
                told = [{"id": id, "content": text} for id, text in act.records]
                opened.set_attribute("gen_ai.memory.records", json.dumps(told, ensure_ascii=False))

    return watch(span)
