"""What the OpenAPI document shows as the body of a verb. A test sends each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "add": {"text": "The ferry to Tessary leaves at seven.", "title": "Ferry", "user": "ada"},
    "add_many": {
        "drafts": [
            "Nuts are sold on the square.",
            {"text": "The lift is out of order.", "uri": "notes/lift"},
        ]
    },
    "remember": {
        "messages": [{"role": "user", "content": "I moved to Oslo last week."}],
        "user": "ada",
        "session": "chat-7",
    },
    "search": {"query": "when does the boat go?", "limit": 5, "user": "ada"},
    "context": {
        "messages": [{"role": "user", "content": "Where do I live?"}],
        "user": "ada",
        "session": "chat-7",
    },
    "profile": {"user": "ada", "budget_tokens": 200},
    "list": {"kind": "document", "limit": 20},
    "conversations.list": {"user": "ada"},
    "statements.add": {"subject": "user", "attribute": "home", "value": "Oslo", "user": "ada"},
    "statements.list": {"valid_at": {"any": True}, "all": True, "user": "ada"},
    "statements.search": {"query": "home", "user": "ada"},
    "statements.digest": {"digester": "rules", "user": "ada"},
    "statements.tidy": {"keep": 500, "dry_run": True, "user": "ada"},
    "graph.stats": {"hubs": 5},
    "compressed.compress": {"codec": "reference", "dry_run": True, "user": "ada"},
    "episodes.begin": {
        "task": "clear the alert of Tavon",
        "application": "incidents",
        "user": "ada",
    },
    "episodes.list": {"chosen": {"application": "incidents"}, "limit": 10},
    "lessons.add": {"lesson": "When a queue is slow, drain it."},
    "lessons.list": {"stages": ["trial", "active"]},
    "lessons.matching": {"situation": "The queue Tavon is slow."},
    "store.stats": {},
    "jobs.list": {"states": ["queued", "running"]},
}
