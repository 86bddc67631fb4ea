"""`Memory`, its verbs and its rooms."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.memory.adapters.room import AdapterDifference, Adapters, HeldRecord
    from agentcl.memory.adapters.routing import AdapterRoute
    from agentcl.memory.adapters.trials import AdapterTrial
    from agentcl.memory.aio import AsyncMemory, AsyncVerbs
    from agentcl.memory.aio_rooms import AsyncEpisode
    from agentcl.memory.changing import UNCHANGED
    from agentcl.memory.compressed.room import (
        Compressed,
        CompressedPassage,
        CompressionReport,
        CompressionState,
    )
    from agentcl.memory.context.context import Context, ContextForm
    from agentcl.memory.context.showing import Shown
    from agentcl.memory.context.weaving import Soft, SoftMemory
    from agentcl.memory.conversations.remembering import Remembered
    from agentcl.memory.conversations.room import Conversations
    from agentcl.memory.documents.syncing import Synced
    from agentcl.memory.documents.writing import Draft
    from agentcl.memory.episodes.recall import EpisodeRecall
    from agentcl.memory.episodes.recording import EpisodeRecorder
    from agentcl.memory.episodes.room import Episodes
    from agentcl.memory.episodes.search import EpisodeHit, EpisodesFound, Filter, Replay
    from agentcl.memory.facts.aliases import Aliases
    from agentcl.memory.facts.explanations import Explanation
    from agentcl.memory.facts.extraction import ModelExtractor, Recognition
    from agentcl.memory.facts.graph import Graph, GraphStats, GraphView, Near, Node
    from agentcl.memory.facts.room import ExtractionReport, ExtractionState, Facts, FactsImported
    from agentcl.memory.forgetting import LostLesson, Receipt
    from agentcl.memory.lessons.checking import ModelChecker
    from agentcl.memory.lessons.room import Lessons
    from agentcl.memory.memory import Memory
    from agentcl.memory.paging import Page
    from agentcl.memory.settings import Setting
    from agentcl.memory.statements.digesting import DigestReport
    from agentcl.memory.statements.merging import Edit
    from agentcl.memory.statements.room import Statements
    from agentcl.memory.statements.search import FoundStatement
    from agentcl.memory.statements.tidying import TidyReport
    from agentcl.memory.tracing import trace_memories
    from agentcl.memory.upkeep.doctor import Problem, Report
    from agentcl.memory.upkeep.jobs import Jobs
    from agentcl.memory.upkeep.storage import Stats, Storage
    from agentcl.memory.upkeep.tiers import Tier
    from agentcl.memory.watching import Deed, watch

__all__ = [
    "UNCHANGED", "AdapterDifference", "AdapterRoute", "AdapterTrial", "Adapters", "Aliases", "AsyncEpisode",
    "AsyncMemory", "AsyncVerbs", "Compressed", "CompressedPassage", "CompressionReport", "CompressionState",
    "Context", "ContextForm", "Conversations", "Deed", "DigestReport", "Draft", "Edit", "EpisodeHit",
    "EpisodeRecall", "EpisodeRecorder", "Episodes", "EpisodesFound", "Explanation", "ExtractionReport",
    "ExtractionState", "Facts", "FactsImported", "Filter", "FoundStatement", "Graph", "GraphStats",
    "GraphView", "HeldRecord", "Jobs", "Lessons", "LostLesson", "Memory", "ModelChecker", "ModelExtractor",
    "Near", "Node", "Page", "Problem", "Receipt", "Recognition", "Remembered", "Replay", "Report", "Setting",
    "Shown", "Soft", "SoftMemory", "Statements", "Stats", "Storage", "Synced", "TidyReport", "Tier",
    "trace_memories", "watch",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "adapters.room": "AdapterDifference Adapters HeldRecord",
        "facts.aliases": "Aliases",
        "aio": "AsyncMemory AsyncVerbs",
        "aio_rooms": "AsyncEpisode",
        "lessons.checking": "ModelChecker",
        "compressed.room": "Compressed CompressedPassage CompressionReport CompressionState",
        "context.context": "Context ContextForm",
        "conversations.room": "Conversations",
        "upkeep.doctor": "Problem Report",
        "statements.digesting": "DigestReport",
        "documents.writing": "Draft",
        "episodes.recording": "EpisodeRecorder",
        "episodes.recall": "EpisodeRecall",
        "episodes.search": "EpisodeHit EpisodesFound Filter Replay",
        "episodes.room": "Episodes",
        "facts.explanations": "Explanation",
        "facts.extraction": "ModelExtractor Recognition",
        "facts.room": "ExtractionReport ExtractionState Facts FactsImported",
        "forgetting": "LostLesson Receipt",
        "facts.graph": "Graph GraphStats GraphView Near Node",
        "upkeep.jobs": "Jobs",
        "lessons.room": "Lessons",
        "memory": "Memory",
        "changing": "UNCHANGED",
        "statements.merging": "Edit",
        "paging": "Page",
        "conversations.remembering": "Remembered",
        "adapters.routing": "AdapterRoute",
        "settings": "Setting",
        "context.showing": "Shown",
        "statements.search": "FoundStatement",
        "statements.room": "Statements",
        "upkeep.storage": "Stats Storage",
        "documents.syncing": "Synced",
        "statements.tidying": "TidyReport",
        "upkeep.tiers": "Tier",
        "tracing": "trace_memories",
        "adapters.trials": "AdapterTrial",
        "watching": "Deed watch",
        "context.weaving": "Soft SoftMemory",
    })  # fmt: skip
