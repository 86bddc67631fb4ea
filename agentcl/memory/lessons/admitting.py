"""How what was learned enters a memory: whose it becomes, what of it others may see, and what is known already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, get_args

from agentcl.errors import InvalidInput
from agentcl.lessons import Lesson, read_sentence
from agentcl.memory.bound import Bound
from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.lessons.sharing import promote, shared_with
from agentcl.memory.opened import Opened, vector_of
from agentcl.store.checks import (
    WriteScope,
    check_a,
    check_choice,
    check_each,
    check_label,
    check_unicode,
)
from agentcl.store.episodes import Episode, Guidance, Level, Origin, Reflection, Share, Stated, Step
from agentcl.store.records import Scope
from agentcl.store.usage import Usage
from agentcl.store.writing import Writing
from agentcl.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from agentcl.guidance.admission import PrivateWords

MOST_LESSONS: Final = 50  # of one reflection; a teacher that says more has not distilled anything
_FORMS: Final = (
    "“When …, ….”, “When …, do not ….”, “When …, it does not help to ….”, “When …, expect that ….” or "
    "“Before …, ….”"
)


def read(sentence: str) -> Lesson:
    """Return the lesson that a sentence tells. Raises InvalidInput."""
    text = check_unicode(sentence, "a lesson").strip()
    lesson = read_sentence(text) or read_sentence(f"{text}.")  # people leave the full stop out
    if lesson is None:
        raise InvalidInput(f"{sentence!r} is no lesson; write {_FORMS}")
    return lesson


def reflect(
    opened: Opened,
    beliefs: Beliefs,
    lessons: Iterable[Lesson],
    bound: Bound,
    scope: WriteScope,
    *,
    episode: Episode | None,
    author: str,
    model: str,
    origin: Origin | None,
    levels: Sequence[Level],
    application: str,
    usage: Usage,
    problem: str,
    names: Collection[str],
    answers: Collection[str],
    contrast: Episode | None,
    share: Share,
) -> Reflection:
    """Check what was learned, and note it; `Lessons.reflect` documents the arguments."""
    told = _checked(lessons)
    for level in (levels := list(check_each(levels, "levels", "words"))):
        check_choice(level, get_args(Level), "a level")
    if origin is not None:
        check_choice(origin, get_args(Origin), "origin")
    for one, what in ((episode, "episode"), (contrast, "contrast")):
        if one is not None:
            check_a(one, Episode, what)
    check_choice(share, get_args(Share), "share")
    check_a(usage, Usage, "usage")
    check_unicode(problem, "problem")
    for several, what in ((names, "names"), (answers, "answers")):
        for text in check_each(several, what, "strings"):
            check_unicode(text, f"one of {what}")
    lived = [one for one in (episode, contrast) if one is not None]
    drawn = _drawn_from(
        lived,
        _owner_of(bound, scope, lived),
        origin=origin,
        application=check_label(application, "application"),
        author=check_label(author, "author"),
        model=check_label(model, "model"),
    )
    return _note(
        opened,
        beliefs,
        replace(drawn, cost_tokens=usage.tokens // max(1, len(told)), share=share),
        told,
        levels,
        lived=lived,
        taken_in=episode.id if episode else "",
        usage=usage,
        problem=problem,
        names=names,
        answers=answers,
    )


def _checked(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Return the lessons of one reflection, if that many can be admitted. Raises InvalidInput."""
    told = list(check_each(lessons, "lessons", "`Lesson`s; to tell a sentence, use lessons.add"))
    if not all(map(_is_lesson, told)):
        raise InvalidInput(
            "reflect takes `Lesson`s made of strings; to tell a sentence, use lessons.add"
        )
    if len(told) > MOST_LESSONS:
        raise InvalidInput(f"{len(told)} lessons of one episode; at most {MOST_LESSONS}")
    return told


def _owner_of(bound: Bound, scope: WriteScope, lived: Sequence[Episode]) -> Scope:
    """Return whose the lessons of episodes are: who is named, else who lived through them, in all sessions.

    Raises:
        InvalidInput: if what one user lived through would become another's, or everybody's.
    """
    owner = bound.owner(scope)
    for one in lived:
        bound.check(one.scope)
    if lived and not scope:
        owner = replace(lived[0].scope, session="")
    for one in lived:
        user = one.scope.user
        if user and owner.user != user:
            whose = f"user={owner.user!r}'s" if owner.user else "everybody's"
            raise InvalidInput(
                f"episode {one.id} is user={user!r}'s, and its lessons would be {whose}; leave the scope out, so "
                'that they stay its own, or let others have what several users learn: share="tenant"'
            )
    return owner


def _drawn_from(
    lived: Sequence[Episode],
    owner: Scope,
    *,
    origin: Origin | None,
    application: str,
    author: str,
    model: str,
) -> Guidance:
    """Return what all lessons of one reflection have in common."""
    first = lived[0] if lived else None
    return Guidance(
        id="",
        scope=owner,
        sources=tuple(one.id for one in lived if one.id),
        when="",
        claim="do",
        what="",
        application=application or (first.application if first else ""),
        family=first.family if first else "",
        world=first.world if first else "",
        origin=origin or ("experience" if first else "told"),
        author=author,
        author_model=model,
    )


def _note(
    opened: Opened,
    beliefs: Beliefs,
    drawn: Guidance,
    lessons: Sequence[Lesson],
    levels: Sequence[Level],
    *,
    lived: Sequence[Episode],
    taken_in: str,
    usage: Usage,
    problem: str,
    names: Collection[str],
    answers: Collection[str],
) -> Reflection:
    """Note what was learned in one transaction.

    Args:
        opened: the memory.
        beliefs: how it believes.
        drawn: what all lessons have in common.
        lessons: what was learned.
        levels: how general the first of them are; the rest are of this kind of task.
        lived: the episodes that they were drawn from.
        taken_in: the id of the one whose actions count as taken.
        usage: what it took.
        problem: why there is nothing.
        names: that no lesson for others may have.
        answers: that no lesson may give away.
    """
    from agentcl.guidance.admission import refusal

    rest: list[Level] = ["family"] * (len(lessons) - len(levels))
    steps = [
        step
        for one in lived
        if one.id
        for step in opened.journal.records(Step, view=one.scope.exactly(), source=one.id)
    ]
    taken = [step.action for step in steps if taken_in and step.episode_id == taken_in]
    private = _private(lived, steps) if drawn.share else None
    refusals = [refusal(one, answers=answers, names=names) for one in lessons]
    drafts = [
        None if refused else _with_lesson(drawn, one, level, taken, private)
        for one, refused, level in zip(lessons, refusals, [*levels, *rest], strict=False)
    ]
    vectors = opened.vectors(draft for draft in drafts if draft)
    with opened.journal.writing() as writing:
        if vectors:
            opened.claim(writing)
        stated = [
            Stated(one.when, one.claim, one.what, refusal=refused or "")
            if draft is None
            else _admit(opened, beliefs, writing, draft, vectors)
            for one, refused, draft in zip(lessons, refusals, drafts, strict=True)
        ]
        reflection = writing.create(
            Reflection(
                id="",
                scope=drawn.scope,
                sources=drawn.sources,
                stated=tuple(stated),
                author=drawn.author,
                author_model=drawn.author_model,
                origin=drawn.origin,
                problem=problem,
                usage=usage,
            )
        )
    assert isinstance(reflection, Reflection)
    return reflection


def _admit(
    opened: Opened,
    beliefs: Beliefs,
    writing: Writing,
    draft: Guidance,
    vectors: Mapping[bytes, bytes],
) -> Stated:
    """Make a lesson a candidate, or find the one that says the same."""
    vector = vector_of(draft, vectors)
    if not beliefs.rules.merging:
        kept = writing.create(replace(draft, key=None), vector=vector)
        return Stated(draft.when, draft.claim, draft.what, kept.id)
    assert draft.key is not None
    journal = opened.journal
    shared = shared_with(journal, draft)
    held = shared or journal.find(kind=Guidance.kind, scope=draft.scope, key=draft.key)
    kept = held or writing.create(draft, vector=vector)
    if draft.share and not shared:
        if isinstance(held, Guidance) and not held.share:
            kept = writing.revise(replace(held, share=draft.share), vector=vector)
        promote(journal, writing, draft, vector, users=beliefs.share_from)
    return Stated(draft.when, draft.claim, draft.what, kept.id)


def _private(lived: Sequence[Episode], steps: Iterable[Step]) -> PrivateWords:
    """Return the words by which episodes, and who lived through them, could be known."""
    from agentcl.guidance.admission import PrivateWords

    told = [text for one in lived for text in (one.task, one.goal, one.first, one.world)]
    told += [text for one in steps for text in (one.seen, one.action, one.outcome)]
    owners = [
        name for one in lived for name in (one.scope.user, one.scope.agent, one.scope.session)
    ]
    return PrivateWords.of(told, owners)


def _with_lesson(
    drawn: Guidance,
    lesson: Lesson,
    level: Level,
    taken: Sequence[str],
    private: PrivateWords | None,
) -> Guidance:
    from agentcl.guidance.meaning.same import key_of, names

    is_kept_back = private is not None and (level == "instance" or private.is_in(lesson))
    return replace(
        drawn,
        when=lesson.when,
        claim=lesson.claim,
        what=lesson.what,
        level=level,
        share="" if is_kept_back else drawn.share,
        is_action=any(names(lesson.what, action) for action in taken),
        key=f"{drawn.application}: {key_of(lesson)}",
        tokens=estimate_tokens(lesson.sentence()),
    )


def _is_lesson(one: object) -> bool:
    return isinstance(one, Lesson) and isinstance(one.when, str) and isinstance(one.what, str)
