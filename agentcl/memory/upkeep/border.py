"""What an import must not bring: records that no verb would have stored."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from agentcl.errors import InvalidInput
from agentcl.guidance.admission import refusal
from agentcl.guidance.evidence.belief import lesson_of
from agentcl.lessons import CLAIMS, folded
from agentcl.memory.facts.aliases import check_alias
from agentcl.memory.facts.writing import LONGEST_PART, MOST_FACTS
from agentcl.memory.lessons.admitting import MOST_LESSONS
from agentcl.memory.statements.border import (
    check_digestion,
    check_proposal,
    check_statement,
    check_synopsis,
    check_tidying,
)
from agentcl.retrieval.graph.phrases import normalise
from agentcl.store.adapters import ADAPTER_NAME, ADAPTER_STATES, Adapter
from agentcl.store.checks import (
    MAX_SCOPE,
    MAX_TEXT,
    check_choice,
    check_count,
    check_json,
    check_label,
    check_score,
    check_text,
    check_time,
    check_unicode,
    check_usage,
)
from agentcl.store.conversations import (
    Conversation,
    Digestion,
    Proposal,
    Statement,
    Synopsis,
    Tidying,
    Turn,
    turn_key,
)
from agentcl.store.episodes import Decision, Episode, Guidance, Reflection, Step
from agentcl.store.records import (
    OWN_KINDS,
    Alias,
    Document,
    Extraction,
    Fact,
    Passage,
    Record,
    to_micros,
)
from agentcl.store.rows import FIRST_MOMENT
from agentcl.store.ulid import is_ulid

# By kind, what is a label: of bounded length, and without NUL.
_LABELS: Final = {
    "document": ("title", "uri", "media_type"),
    "passage": ("title", "uri"),
    "conversation": ("title",),
    "turn": ("role", "name", "message"),
    "digestion": ("digester", "error"),
    "synopsis": ("by",),
    "fact": ("extractor",),
    "extraction": ("extractor", "text_hash"),
    "episode": ("application", "family", "world", "judge", "lane", "agent_model", "fingerprint"),
    "step": ("by",),
    "guidance": ("application", "family", "world", "author", "author_model"),
    "reflection": ("author", "author_model"),
}
_COUNTS: Final = {
    "passage": ("ordinal", "start", "end"),
    "turn": ("ordinal",),
    "digestion": ("read", "statements", "dropped", "attempts"),
    "synopsis": ("read",),
    "extraction": ("attempts", "dropped"),
    "episode": ("steps",),
    "step": ("ordinal",),
    "guidance": ("tokens", "cost_tokens"),
}


def check_record(record: Record, *, is_trusted: bool) -> None:
    """Refuse a record that no verb would have stored.

    Args:
        record: of an export.
        is_trusted: whether lessons may say what is not admitted here: the gate may have become stricter since.

    Raises:
        InvalidInput: naming the field.
    """
    if record.kind in OWN_KINDS:
        raise InvalidInput(
            f"a {record.kind} record says where something lies in a folder, and no export holds one"
        )
    for name in _LABELS.get(record.kind, ()):
        check_label(getattr(record, name), name)
    for name in _COUNTS.get(record.kind, ()):
        check_count(getattr(record, name), name, least=0)
    match record:
        case Document():
            check_text(record.text)
            _check_key(record, record.uri or None)
        case Passage():
            if record.end - record.start != len(record.text):
                raise InvalidInput("a passage is as long as the piece of its document")
            _check_key(record, None)
        case Conversation():
            if record.sources or len(record.key or "") > MAX_SCOPE:
                raise InvalidInput(
                    "a conversation comes from nothing, and its key is a session's name"
                )
            _check_key(record, record.key or "")
        case Turn():
            _check_turn(record)
        case Statement():
            check_statement(record)
            _check_key(record, None)
        case Digestion():
            check_digestion(record)
        case Proposal():
            check_proposal(record)
            _check_key(record, None)
        case Tidying():
            check_tidying(record)
        case Synopsis():
            check_synopsis(record)
        case Fact():
            parts = (record.subject, record.predicate, record.object)
            if max(map(len, parts)) > LONGEST_PART or not all(map(normalise, parts[::2])):
                raise InvalidInput("a fact has a subject and an object, of bounded length")
            _check_key(record, None)
        case Extraction():
            if (
                len(record.phrases) > MOST_FACTS
                or max(map(len, record.phrases), default=0) > LONGEST_PART
            ):
                raise InvalidInput("the phrases of an extraction are too many, or too long")
            _check_key(record, record.passage_id)
        case Episode():
            _check_episode(record)
        case Guidance():
            _check_lesson(record, is_trusted=is_trusted)
        case Reflection():
            _check_reflection(record)
        case Decision():
            _check_decision(record)
        case Step():
            _check_key(record, None)
        case Alias():
            _check_key(record, check_alias(record.name, record.other))
        case Adapter():
            check_adapter(record)


def check_adapter(one: Adapter) -> None:
    """Refuse an adapter that no consolidation made; its name is the name of a folder."""
    if not ADAPTER_NAME.fullmatch(one.name):
        raise InvalidInput(f"an adapter's name is of a-z, 0-9 and -, and not {one.name[:80]!r}")
    check_choice(one.state, ADAPTER_STATES, "an adapter's state")
    check_score(one.share)
    named = [*one.holds, *one.lineage, *one.parents, *filter(None, (one.replaced,))]
    if one.sources or not all(map(is_ulid, named)):
        raise InvalidInput("an adapter comes from nothing, and names records by their ids")


def _check_key(record: Record, key: str | None) -> None:
    if record.key != key:
        raise InvalidInput(f"the key of a {record.kind} is {key!r}, not {record.key!r}")


def _check_turn(turn: Turn) -> None:
    check_unicode(turn.text, "text")
    if len(turn.text) > MAX_TEXT:
        raise InvalidInput(f"a turn of {len(turn.text):,} characters")
    if not turn.role.isprintable() or not turn.role.strip():
        raise InvalidInput(f"a turn's role is a word, not {turn.role!r}")
    check_time(parsed_time(turn.said_at), "said_at")
    if turn.more is not None:
        check_json(dict(turn.more), "more", most=MAX_TEXT)
    check_json(turn.content, "content", most=MAX_TEXT)
    _check_key(turn, turn_key(turn.conversation_id, turn.message))


def parsed_time(text: str) -> datetime:
    """Return a time of ISO 8601 that a record holds. Raises InvalidInput."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"said_at {text[:60]!r} is no time of ISO 8601") from error


def _check_episode(episode: Episode) -> None:
    check_text(episode.task, "task")
    check_score(episode.score)
    for one in episode.exposures:
        if not 0 <= one.probability <= 1:
            raise InvalidInput(f"a probability of {one.probability}")
        check_count(one.tokens, "tokens", least=0)
    for shown in episode.demonstrations:
        if not 0 <= shown.probability <= 1:
            raise InvalidInput(f"a probability of {shown.probability}")
        check_count(shown.tokens, "tokens", least=0)
    for coin in episode.adapters:
        if not 0 <= coin.probability <= 1:
            raise InvalidInput(f"a probability of {coin.probability}")
    for usage in episode.usage.values():
        check_usage(usage)
    _check_key(episode, None)


def _check_lesson(guidance: Guidance, *, is_trusted: bool) -> None:
    lesson = lesson_of(guidance)
    if lesson.claim not in CLAIMS:
        raise InvalidInput(f"a lesson's claim is one of {', '.join(CLAIMS)}, not {lesson.claim!r}")
    if not folded(lesson.when) or not folded(lesson.what):
        raise InvalidInput("a lesson says when it applies, and what it claims")
    head = f"{guidance.application}: {lesson.claim}: "
    if guidance.key is not None and not guidance.key.startswith(head):
        raise InvalidInput(f"the key of this lesson begins with {head!r}")
    if not is_trusted and (reason := refusal(lesson)):
        raise InvalidInput(
            f"a lesson is not admitted: {reason}. If the file comes from a memory of yours, import it as trusted"
        )


def _check_reflection(reflection: Reflection) -> None:
    if len(reflection.stated) > MOST_LESSONS:
        raise InvalidInput(f"a reflection has at most {MOST_LESSONS} lessons")
    for one in reflection.stated:
        if one.claim not in CLAIMS and not one.refusal:
            raise InvalidInput(f"a lesson's claim is one of {', '.join(CLAIMS)}, not {one.claim!r}")
    check_usage(reflection.usage)
    _check_key(reflection, None)


def _check_decision(decision: Decision) -> None:
    if decision.what == "rollback":
        is_past = decision.since >= FIRST_MOMENT and decision.until <= to_micros(
            decision.created_at
        )
        is_sound = is_past and not decision.guidance
    else:
        is_sound = bool(decision.guidance) and (decision.since, decision.until) == (0, 0)
    if not is_sound:
        raise InvalidInput("a decision is about one lesson, or about a time before it")
    is_report = decision.what in ("applies", "does not apply")
    if is_report != bool(decision.situation.strip()):
        raise InvalidInput(
            "a report of where a lesson applies has a situation, and nothing else has one"
        )
    check_unicode(decision.reason, "reason")
    _check_key(decision, None)
