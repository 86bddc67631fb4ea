"""From settings to what a run is made of: domains, questions, models, actors, readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from agentcl.agents.outcomes import OutcomeTeacher
from agentcl.agents.prompts import LEARNING, READING
from agentcl.agents.student import Student
from agentcl.agents.teacher import Distiller, Teacher
from agentcl.bench.learners import (
    LESSON_TOKENS,
    RECENT,
    Learner,
    LessonWriter,
    NoteWriter,
    note_of_lessons,
    record,
)
from agentcl.bench.questions import Reader, View
from agentcl.bench.scripted import GUIDED, SCRIPTED
from agentcl.bench.settings import (
    AgentSettings,
    Learning,
    QuestionSettings,
    RunSettings,
    TaskSettings,
)
from agentcl.envs.acting import Actor
from agentcl.envs.base import Domain, Environment
from agentcl.envs.isolation import IsolatedEnvironment
from agentcl.envs.own import is_own, open_own
from agentcl.envs.policies import policies_of
from agentcl.envs.questions.fact_consolidation import fact_consolidation_stream
from agentcl.envs.questions.locomo import read_locomo
from agentcl.envs.questions.longmemeval import longmemeval_streams
from agentcl.envs.questions.memory_agent_bench import memory_agent_bench_streams
from agentcl.envs.questions.multihop import MUSIQUE_LICENCE, hotpotqa_stream, paragraphs_stream
from agentcl.envs.questions.numbered_facts import newest, read_facts
from agentcl.envs.questions.records import QuestionStream
from agentcl.envs.questions.squad import SQUAD_LICENCE, squad_stream
from agentcl.envs.registry import open_domain
from agentcl.envs.streams.stream import load_stream
from agentcl.errors import ConfigError, InvalidInput
from agentcl.lessons import Lesson, read_json
from agentcl.models.base import ChatModel
from agentcl.models.reference.shipped import REFERENCE_NAME, open_reference
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import unread

Leaving = Learning | Literal["notes"]
POLICIES: Final = ("random", "null", "oracle")
_Loader = Callable[..., QuestionStream | Sequence[QuestionStream]]
_SOURCES: Final[Mapping[str, _Loader]] = {
    "squad": partial(squad_stream, licence=SQUAD_LICENCE),
    "hotpotqa": hotpotqa_stream,
    "musique": partial(paragraphs_stream, licence=MUSIQUE_LICENCE),
    "locomo": lambda path, **options: read_locomo(path, **options).streams,
    "longmemeval": lambda path, **options: tuple(longmemeval_streams(path, **options)),
    "memory-agent-bench": lambda path, **options: tuple(
        memory_agent_bench_streams(path, **options)
    ),
}
_GENERATED: Final = "fact-consolidation"


def agent_names() -> list[str]:
    """Return the names of those who can act."""
    return ["model", *SCRIPTED, *POLICIES]


def source_names() -> list[str]:
    """Return the names of the sources of questions."""
    return [*_SOURCES, _GENERATED]


def open_task_domain(settings: TaskSettings) -> Domain:
    """Return the domain of a run. Raises InvalidInput as `open_domain` does."""
    if settings.domain:
        return open_domain(settings.domain, settings.options)
    stream = load_stream(Path(settings.file))
    names = {item.task.env for item in stream}
    if len(names) != 1:
        raise InvalidInput(
            f"{settings.file} has tasks of {', '.join(sorted(names))}; a run has one domain"
        )
    return open_domain(names.pop(), settings.options)


def make_environment(settings: TaskSettings, domain: Domain) -> Environment:
    """Return a fresh environment, in a process of its own if that is set."""
    if not settings.isolated:
        return domain.make()
    name = settings.domain or domain.name
    return IsolatedEnvironment(name, settings.options, timeout_s=settings.timeout_s)


def open_questions(settings: QuestionSettings, *, seed: int) -> tuple[QuestionStream, ...]:
    """Return the streams of questions of one seed.

    Raises:
        ConfigError: if there is no such source, or it takes no such option.
        InvalidInput: if its data cannot be read.
    """
    options: dict[str, Any] = dict(settings.options)
    try:
        if settings.source == _GENERATED:
            opened: QuestionStream | Sequence[QuestionStream] = fact_consolidation_stream(
                seed=seed, **options
            )
        elif settings.source in _SOURCES:
            if not settings.path:
                raise ConfigError(
                    f"questions of {settings.source} need questions.path: the file of its data"
                )
            opened = _SOURCES[settings.source](Path(settings.path), **options)
        elif settings.source.endswith(".jsonl"):
            opened = QuestionStream.load(Path(settings.source))
        else:
            raise ConfigError(
                f"there is no source of questions {settings.source!r}; choose one of "
                f"{', '.join(source_names())}, or a saved stream (.jsonl)"
            )
    except TypeError as error:
        raise ConfigError(f"questions.options do not fit {settings.source}: {error}") from error
    streams = (opened,) if isinstance(opened, QuestionStream) else tuple(opened)
    return tuple(_first(stream, settings.limit) for stream in streams)


def _first(stream: QuestionStream, limit: int) -> QuestionStream:
    """Return the stream with its first questions alone."""
    if not limit or len(stream.questions) <= limit:
        return stream
    kept = {question.id for question in stream.questions[:limit]}
    events = tuple(e for e in stream.events if not hasattr(e, "answers") or e.id in kept)
    return QuestionStream(stream.name, stream.licence, events)


def view_of(settings: QuestionSettings) -> View:
    """Return what a reader is shown of the recalled texts."""
    if not settings.is_newest_shown:
        return lambda texts: texts
    return lambda texts: [
        fact.text() for fact in newest(fact for text in texts for fact in read_facts(text))
    ]


def open_model(settings: AgentSettings) -> ChatModel | None:
    """Return the model that acts or reads; None where no model does.

    Raises:
        MissingExtra: if its backend is not installed.
    """
    if settings.name != "model":
        return None
    if settings.url:
        from agentcl.models.openai import OpenAIChat

        return OpenAIChat(settings.model, base_url=settings.url)
    if settings.model == REFERENCE_NAME:
        return open_reference()
    from agentcl.models.local import LocalChat

    return LocalChat(settings.model)


def make_actor(
    settings: RunSettings, domain: Domain, model: ChatModel | None, *, leaves: Leaving
) -> tuple[Actor, Learner | None]:
    """Return who acts, and what an episode leaves to remember; None: nothing.

    Args:
        settings: of the run.
        domain: where.
        model: who is asked; None where no model is.
        leaves: what an episode leaves.

    Raises:
        ConfigError: if there is no such agent.
    """
    agent = settings.agent
    is_trained = agent.model == REFERENCE_NAME  # on the very forms of the prompts
    actor: Actor
    learner: Learner | None
    if model is not None:
        said: str | None = agent.instructions or (
            "" if is_trained else None
        )  # None: its form's own
        actor = Student(model, instructions=said, max_tokens=agent.max_tokens, recent=RECENT)
        learner = LessonWriter(model, instructions="" if is_trained else LEARNING)
    elif agent.name in SCRIPTED:
        actor, learner = SCRIPTED[agent.name]()
    elif agent.name in POLICIES:
        actor, learner = policies_of([agent.name], domain.oracle())[0], None
    elif is_own(agent.name):
        actor = open_own(agent.name, "agent", ("act",))
        learner = getattr(actor, "learn", None)
    else:
        raise ConfigError(
            f"there is no agent {agent.name!r}; choose one of {', '.join(agent_names())}, or name your own as module:Class"
        )
    if leaves == "record":
        return actor, record
    if leaves == "notes" and model is not None and not is_trained:
        return actor, NoteWriter(model)
    if leaves == "notes" and learner is not None:
        return actor, note_of_lessons(learner)
    return actor, learner if leaves == "lessons" else None


def make_student(settings: AgentSettings, model: ChatModel | None) -> tuple[Actor, Distiller]:
    """Return who acts with guidance, and who says what an episode teaches.

    Raises:
        ConfigError: if the agent can neither follow lessons nor draw them.
    """
    student, itself = _pupil(settings, model)
    if settings.teacher == "outcomes":
        return student, OutcomeTeacher()
    if settings.teacher != "agent":
        return student, open_own(settings.teacher, "teacher", ("distil",), given={"model": model})
    if not hasattr(itself, "distil"):
        raise ConfigError(
            f"the agent {settings.name!r} draws no lessons: it has no distil; choose agent.teacher, outcomes or module:Class "
            "of your own"
        )
    return student, itself


def _pupil(settings: AgentSettings, model: ChatModel | None) -> tuple[Actor, Distiller]:
    """Return who acts with guidance, and the same as its own teacher."""
    if model is None and is_own(settings.name):
        own = open_own(settings.name, "agent", ("act",))
        return own, own
    if model is None:
        if settings.name not in GUIDED:
            raise ConfigError(
                f"the agent {settings.name!r} neither follows lessons nor draws them; for the baseline of guidance "
                f"choose model, {' or '.join(GUIDED)}"
            )
        scripted = GUIDED[settings.name]()
        return scripted, scripted
    if settings.model == REFERENCE_NAME:  # asked in the very forms of its training
        trained, tokens = settings.instructions, settings.max_tokens
        student = Student(model, instructions=trained, max_tokens=tokens, recent=RECENT)
        return student, Teacher(model, instructions="", max_tokens=LESSON_TOKENS, recent=RECENT)
    said = settings.instructions or None  # its form's own
    return Student(model, instructions=said, max_tokens=settings.max_tokens), Teacher(model)


def read_told(path: str) -> tuple[str, list[Lesson]]:
    """Return the lessons of a file of JSON lines, and who tells them: the file's name without its end.

    Raises:
        ConfigError: if it cannot be read, naming the line.
    """
    lessons = []
    try:
        with Path(path).open(encoding="utf-8") as file:
            lines = [*file]
    except (OSError, ValueError) as error:
        raise ConfigError(f"the lessons {path} cannot be read: {unread(error)}") from error
    for number, line in enumerate(lines, start=1):
        try:
            lessons.append(read_json(parsed_json(line)))
        except (ValueError, TypeError, InvalidInput) as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return Path(path).stem, lessons


def make_reader(settings: AgentSettings, model: ChatModel | None) -> Reader | None:
    """Return who reads; None if what is recalled is all that counts."""
    if is_own(settings.name):
        raise ConfigError(
            f"the agent {settings.name!r} plays tasks; questions are read by a model, or by nobody"
        )
    if model is None:
        return None
    is_trained = settings.model == REFERENCE_NAME
    said = settings.instructions or ("" if is_trained else READING)
    return Reader(model, instructions=said, max_tokens=settings.max_tokens)
