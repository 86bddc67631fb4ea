"""What a model may do with a memory: eight tools, each with a short answer.

A tool raises our own errors; `agentcl.mcp.server` tells them to the model. Nothing here knows the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal

from agentcl.errors import InvalidInput, NotFound
from agentcl.lessons import read_sentence
from agentcl.memory.episodes.underway import Underway
from agentcl.store.episodes import Episode, Guidance
from agentcl.store.records import Document, Passage, Record
from agentcl.text.escaping import inline, quoted
from agentcl.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

Act = Literal["read", "write", "learn"]  # what a tool does with a memory
BUDGET_TOKENS: Final = 1_000  # of an answer
_LIMIT: Final = 8  # passages of a recall
_LESSON_TOKENS: Final = 400
_ROOM: Final = 4  # characters a token, by which a text is cut
_NOTHING_HELD: Final = "Nothing is known of the user."
_VERSIONS: Final = 10  # of a record's history that are told
_FORM: Final = "write it as: When SITUATION, do ACTION. Or: When SITUATION, avoid ACTION."


class Tools:
    """The tools over one memory. Safe for threads.

    Args:
        memory: with a scope bound, if its users are to be kept apart; a call can narrow it, and never widen it. Or
            what returns the memory of the call that is being answered, and raises if that may not be done with it.
        application: the program in whose tasks lessons are offered; empty for any.
    """

    def __init__(self, memory: Memory | Callable[[Act], Memory], *, application: str = "") -> None:
        self._reach = memory if callable(memory) else lambda act: memory
        self._application = application
        self._underway = Underway(what="task", begun_by="start_task")

    def close(self) -> None:
        """Keep the tasks that are still under way as interrupted: nobody told how they ended."""
        self._underway.close("the server ended")

    def remember(
        self,
        text: str,
        *,
        title: str = "",
        uri: str = "",
        metadata: Mapping[str, Any] | None = None,
        **scope: str,
    ) -> dict[str, Any]:
        """Store a text; with a uri that is there, its next version. `Memory.add` says more."""
        memory = self.handle("write", scope)
        before = memory.store.journal.last_seq()
        document = memory.add(text, title=title, uri=uri, metadata=metadata)
        is_new = memory.store.journal.seq_of(document) > before
        did = ("added" if document.version == 1 else "updated") if is_new else "known already"
        return {"id": document.id, "did": did, "version": document.version}

    def recall(
        self,
        query: str,
        *,
        task: str = "",
        limit: int = _LIMIT,
        budget_tokens: int = BUDGET_TOKENS,
        **scope: str,
    ) -> dict[str, Any]:
        """Find what is remembered; in a task also the lessons that speak of the situation.

        Args:
            query: a question, words, or with `task` what is seen and about to be done.
            task: as `start_task` returned it.
            limit: passages at the most.
            budget_tokens: of the whole answer, but for ids.
            scope: as everywhere.
        """
        memory = self.handle("read", scope)
        lessons: tuple[str, ...] = ()
        if task:
            with self._underway.at(task, self.handle("learn", scope).scope) as held:
                lessons = held.recorder.recall(query).lessons
        spent = sum(map(estimate_tokens, lessons))
        found = memory.search(query, limit=limit)
        block = found.prompt(budget_tokens=max(0, budget_tokens - spent))
        answer: dict[str, Any] = {
            "memory": block,
            "sources": [
                {"number": number, "id": hit.document_id, "title": inline(hit.title or hit.uri)}
                for number, hit in enumerate(found.hits, start=1)
                if f"\n[{number}" in block
            ],
        }
        if task:
            answer["lessons"] = [quoted(line) for line in lessons]
        if found.warning:
            answer["warning"] = found.warning
        if not found.hits and not lessons:
            answer["memory"] = "Nothing is remembered that fits."
        return answer

    def get(
        self, name: str, *, start: int = 0, budget_tokens: int = BUDGET_TOKENS, **scope: str
    ) -> dict[str, Any]:
        """Return a text by its id or uri, from a character on.

        Raises:
            NotFound: if the scope does not see such a record.
            InvalidInput: if it is no text.
        """
        record = self._named(self.handle("read", scope), name)
        if not isinstance(record, Document | Passage):
            raise InvalidInput(f"{name!r} is a {record.kind}; to know more of it, use explain")
        if not 0 <= start <= len(record.text):
            raise InvalidInput(f"it has {len(record.text)} characters; start={start} is outside")
        end = min(len(record.text), start + _ROOM * budget_tokens)
        answer: dict[str, Any] = {
            "id": record.id,
            "title": record.title,
            "uri": record.uri,
            "version": record.version,
            "recorded": record.created_at.isoformat(),
            "text": record.text[start:end],
        }
        if end < len(record.text):
            answer["next_start"] = end
        return answer

    def whole(self, name: str) -> str:
        """Return the whole text of a document or passage. Raises NotFound and InvalidInput as `get`."""
        record = self._named(self.handle("read"), name)
        if not isinstance(record, Document | Passage):
            raise InvalidInput(f"{name!r} is a {record.kind}, and no text")
        return record.text

    def profile(self) -> str:
        """Return what holds of the user, as a block of text that says what it is. `Memory.profile` says more."""
        return self.handle("read").profile(budget_tokens=BUDGET_TOKENS).text or _NOTHING_HELD

    def update(
        self,
        name: str,
        text: str,
        *,
        title: str | None = None,
        if_version: int | None = None,
        **scope: str,
    ) -> dict[str, Any]:
        """Write the next version of a document; the old one stays in its history."""
        memory = self.handle("write", scope)
        record = self._named(memory, name)
        given: dict[str, Any] = {} if title is None else {"title": title}
        new = memory.update(record.id, text=text, if_version=if_version, **given)
        return {"id": new.id, "version": new.version}

    def forget(self, ids: Sequence[str], *, for_good: bool = False, **scope: str) -> dict[str, Any]:
        """Stop finding records; for good also removes their history and their bytes."""
        memory = self.handle("write", scope)
        if not ids:
            raise InvalidInput("name the ids to forget, as recall gives them")
        if for_good:
            receipt = memory.forget(*ids)
            return {"receipt": receipt.id, "removed": len(receipt.removed)}
        for id in dict.fromkeys(ids):
            memory.delete(id)
        return {"deleted": list(dict.fromkeys(ids)), "history": "is kept"}

    def start_task(
        self,
        task: str,
        *,
        situation: str = "",
        kind: str = "",
        world: str = "",
        budget_tokens: int = _LESSON_TOKENS,
        **scope: str,
    ) -> dict[str, Any]:
        """Begin a task, and return the lessons for it. `report_outcome` ends it.

        Args:
            task: what is to be done.
            situation: what is seen; default: the task.
            kind: of task, by which outcomes are compared.
            world: where the same rules hold: a repository, a customer.
            budget_tokens: of lessons, over the whole task.
            scope: as everywhere.
        """
        memory = self.handle("learn", scope)
        recorder = memory.episodes.begin(
            task,
            application=self._application,
            family=kind,
            world=world,
            first=situation,
            budget_tokens=budget_tokens,
        )
        recalled = recorder.recall(situation or task)
        self._underway.keep(recorder, self._reach("learn").scope)
        answer: dict[str, Any] = {
            "task": recorder.id,
            "lessons": [quoted(line) for line in recalled.lessons],
        }
        if recalled.withheld:
            answer["withheld"] = len(recalled.withheld)
        return answer

    def report_outcome(
        self,
        task: str,
        score: float,
        *,
        steps: Sequence[Mapping[str, str]] = (),
        note: str = "",
        lesson: str = "",
        **scope: str,
    ) -> dict[str, Any]:
        """End a task with its score; what was shown is credited by it.

        Args:
            task: as `start_task` returned it.
            score: from 0, failed, to 1, solved.
            steps: what was done, in order: `seen`, `action`, `outcome` each.
            note: how it ended.
            lesson: a sentence on what to do next time, "When ..., do ...".
            scope: as everywhere.

        Raises:
            NotFound: if there is no such task.
            InvalidInput: if the score is none from 0 to 1, or the task has one already.
        """
        memory = self.handle("learn", scope)
        if self._underway.holds(task, memory.scope):
            episode = self._finished(memory, task, score, steps, note)
        else:
            episode = memory.episodes.score(task, score, judge="agent")
        credited = sum(one.is_shown for one in episode.exposures)
        answer: dict[str, Any] = {"task": task, "score": episode.score, "credited": credited}
        if lesson:
            answer["lesson"] = self._learned(memory, lesson, episode)
        return answer

    def _finished(
        self, memory: Memory, task: str, score: float, steps: Sequence[Mapping[str, str]], note: str
    ) -> Episode:
        with self._underway.at(task, memory.scope) as held:
            for step in steps:
                held.recorder.step(
                    step.get("seen", ""), step.get("action", ""), step.get("outcome", "")
                )
            return held.recorder.finish(score, end=note, judge="agent")

    def _learned(self, memory: Memory, sentence: str, episode: Episode) -> dict[str, str]:
        """Note what an episode taught; a sentence that is not admitted costs the report nothing."""
        read = read_sentence(sentence.strip()) or read_sentence(f"{sentence.strip()}.")
        if read is None:
            return {"refused": _FORM}
        reflection = memory.lessons.reflect([read], episode=episode, author="agent")
        (stated,) = reflection.stated
        return {"refused": stated.refusal} if stated.refusal else {"id": stated.guidance}

    def explain(self, id: str, **scope: str) -> dict[str, Any]:
        """Tell where a record comes from: a lesson's evidence, a task's course, a text's versions."""
        memory = self.handle("read", scope)
        record = self._named(memory, id)
        if isinstance(record, Guidance):
            return {"lesson": _cut(memory.lessons.why(record.id).lines())}
        if isinstance(record, Episode):
            return {"task": _cut(memory.episodes.replay(record.id).lines())}
        versions = memory.history(record.id)
        return {
            "id": record.id,
            "kind": record.kind,
            "sources": list(record.sources),
            "scope": {name: value for name, value in asdict(record.scope).items() if value},
            "versions": [
                {"version": one.version, "what": one.op, "at": one.at.isoformat()}
                for one in versions[-_VERSIONS:]
            ],
        }

    def handle(self, act: Act, scope: Mapping[str, str] | None = None) -> Memory:
        """Return the memory of a call, narrowed by the fields that are named; an empty one names nothing."""
        memory = self._reach(act)
        named = {name: value for name, value in (scope or {}).items() if value}
        return memory.scoped(**named) if named else memory

    @staticmethod
    def _named(memory: Memory, name: str) -> Record:
        """Return a record by its id, or a document by its uri."""
        try:
            return memory.get(name)
        except NotFound:
            try:
                return memory.get(uri=name)
            except (NotFound, InvalidInput):
                raise NotFound(
                    f"no record with the id or uri {name!r} is visible from here; recall gives ids"
                ) from None


def _cut(lines: Iterable[str]) -> list[str]:
    """Return the first lines that fit an answer."""
    kept, room = list[str](), BUDGET_TOKENS
    for line in lines:
        room -= estimate_tokens(line)
        if room < 0:
            return [
                *kept,
                "and more: see the command line, `agentcl guidance why` or `agentcl episodes show`",
            ]
        kept.append(line)
    return kept
