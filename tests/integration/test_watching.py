"""What is done with a memory is told to who watches: to OpenTelemetry by its conventions, and to the log without texts."""

import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentcl import InvalidInput, Memory, MissingExtra, NotFound
from agentcl.memory import Deed, trace_memories, watch

SECRET = "The harbour code is Mossling."


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def spans() -> Iterator[Any]:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    exporter.provider = TracerProvider()  # type: ignore[attr-defined]  # handed on with it
    exporter.provider.add_span_processor(SimpleSpanProcessor(exporter))  # type: ignore[attr-defined]
    yield exporter
    exporter.provider.shutdown()  # type: ignore[attr-defined]


def test_each_verb_is_a_span_by_the_conventions(memory: Memory, spans: Any) -> None:
    end = trace_memories(spans.provider)
    id = memory.add(SECRET, user="ada").id
    memory.add("one", uri="notes/1")
    memory.update(id, text=f"{SECRET} Tell nobody.", user="ada")
    memory.search("harbour code", user="ada")
    memory.context([{"role": "user", "content": "harbour?"}], user="ada", session="s")
    memory.remember([{"role": "user", "content": "hello"}], user="ada", session="s")
    memory.delete(id, user="ada")
    memory.forget(id, user="ada")
    end()
    memory.add("not told")
    told = spans.get_finished_spans()
    assert [span.name for span in told] == [
        "create_memory", "upsert_memory", "update_memory", "search_memory", "search_memory", "create_memory",
        "delete_memory", "delete_memory",
    ]  # fmt: skip
    assert {span.kind.name for span in told} == {"INTERNAL"}
    first, found, gone = told[0].attributes, told[3].attributes, told[6].attributes
    assert first["gen_ai.operation.name"] == "create_memory"
    assert first["gen_ai.memory.record.id"] == gone["gen_ai.memory.record.id"] == id
    assert first["gen_ai.memory.record.count"] == 1
    assert found["gen_ai.memory.record.count"] >= 1
    assert "gen_ai.memory.record.id" not in found
    assert len({span.attributes["gen_ai.memory.store.id"] for span in told}) == 1
    everything = "".join(span.to_json() for span in told)
    assert "Mossling" not in everything
    assert "harbour" not in everything
    assert str(memory.path) not in everything


def test_contents_are_told_by_opt_in_only(
    memory: Memory, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    end = trace_memories(spans.provider)
    id = memory.add(SECRET).id
    memory.search("harbour code")
    end()
    stored, found = (span.attributes for span in spans.get_finished_spans())
    assert json.loads(stored["gen_ai.memory.records"]) == [{"id": id, "content": SECRET}]
    assert found["gen_ai.memory.query.text"] == "harbour code"
    assert json.loads(found["gen_ai.memory.records"])[0]["content"] == SECRET


def test_an_error_is_told_by_its_class_alone(memory: Memory, spans: Any) -> None:
    end = trace_memories(spans.provider)
    with pytest.raises(NotFound):
        memory.update(SECRET, text="x")
    end()
    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "NotFound"
    assert span.status.status_code.name == "ERROR"
    assert "Mossling" not in span.to_json()


def test_spans_stand_below_the_callers_own(memory: Memory, spans: Any) -> None:
    end = trace_memories(spans.provider)
    with spans.provider.get_tracer("test").start_as_current_span("turn") as parent:
        memory.search("x")
    end()
    below = spans.get_finished_spans()[0]
    assert below.parent.span_id == parent.get_span_context().span_id


def test_without_the_extra_its_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(MissingExtra, match=r"agentcl\[otel\]"):
        trace_memories()


def test_a_memory_is_used_without_opentelemetry_being_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from agentcl import Memory; m = Memory(sys.argv[1], encoder='hashing'); m.add('x');"
        "m.search('x'); m.close(); assert not [n for n in sys.modules if n.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m")], check=True)


def test_watchers_that_have_ended_are_told_nothing(memory: Memory) -> None:
    seen: list[str] = []

    def see(act: Deed) -> AbstractContextManager[None]:
        seen.append(act.operation)
        return nullcontext()

    end = watch(see)
    memory.add("x")
    end()
    end()
    memory.add("y")
    assert seen == ["create_memory"]


def test_the_log_says_what_was_done_for_whom_and_no_text(memory: Memory) -> None:
    pytest.importorskip("fastapi")
    from agentcl.server.logs import logging_to
    from tests.served import served

    stream = io.StringIO()
    id = memory.add(SECRET, user="ada").id
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "recall", "arguments": {"query": "harbour code"}}}  # fmt: skip
    headers = {"accept": "application/json, text/event-stream", "x-agentcl-user": "ada"}
    with logging_to(stream), served(memory) as address:
        answer = httpx.post(f"{address}/mcp", json=asked, headers=headers)
        assert SECRET in answer.text
        with pytest.raises(InvalidInput):
            memory.search("harbour", limit=-1, user="ada")
        httpx.get(f"{address}/no/harbour")
    memory.add("after the end")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    found = next(line for line in lines if line["what"] == "search_memory")
    assert (found["count"], found["ids"]) == (1, [id])
    assert found["ms"] > 0
    failed = next(line for line in lines if line.get("error"))
    assert (failed["what"], failed["error"]) == ("search_memory", "InvalidInput")
    assert failed["for"] == found["for"]  # the same user by the same hash
    assert set(found["for"]) == {"user"}
    request = next(line for line in lines if line["what"] == "request")
    assert (request["route"], request["status"], request["request"]) == (
        "/mcp",
        200,
        found["request"],
    )
    written = stream.getvalue()
    for text in ("harbour", "Mossling", '"ada"', "after the end"):
        assert text not in written


def test_an_error_that_nobody_meant_is_written_down_without_its_words() -> None:
    import logging

    from agentcl.server.logs import logging_to

    stream = io.StringIO()
    with logging_to(stream):
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("agentcl.server").exception("request %s failed", "5f0c")
    line = json.loads(stream.getvalue())
    assert (line["what"], line["error"]) == ("request 5f0c failed", "ValueError")
    assert line["at"].split(":")[1].isdigit()
    assert "Mossling" not in stream.getvalue()


def test_what_a_library_warns_of_is_a_line_without_what_it_put_in() -> None:
    import logging

    from agentcl.server.logs import logging_to

    stream = io.StringIO()
    with logging_to(stream):
        logging.getLogger("uvicorn.error").warning("bad request: %s", SECRET)
    logging.getLogger("uvicorn.error").warning("after the end")
    assert json.loads(stream.getvalue())["what"] == "uvicorn.error: bad request: %s"


def test_a_server_for_editors_leaves_the_programs_own_logging_alone(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    from agentcl.mcp import Tools, memory_server

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    memory_server(Tools(memory))
    assert logging.getLogger().handlers == []
