"""`Memory`, its verbs and its rooms."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.memory.adapters import AdapterDifference, Adapters, HeldRecord
    from agentcl.memory.aio import AsyncMemory, AsyncVerbs
    from agentcl.memory.aio_rooms import AsyncEpisode
    from agentcl.memory.aliases import Aliases
    from agentcl.memory.changing import UNCHANGED
    from agentcl.memory.checking import ModelChecker
    from agentcl.memory.compressed import (
        Compressed,
        CompressedPassage,
        CompressionReport,
        CompressionState,
    )
    from agentcl.memory.context import Context, ContextForm
    from agentcl.memory.conversations import Conversations
    from agentcl.memory.digesting import DigestReport
    from agentcl.memory.doctor import Problem, Report
    from agentcl.memory.documents import Draft
    from agentcl.memory.episode import EpisodeRecorder
    from agentcl.memory.episode_recall import EpisodeRecall
    from agentcl.memory.episode_search import EpisodeHit, EpisodesFound, Filter, Replay
    from agentcl.memory.episodes import Episodes
    from agentcl.memory.explanations import Explanation
    from agentcl.memory.extraction import ModelExtractor, Recognition
    from agentcl.memory.facts import ExtractionReport, ExtractionState, Facts, FactsImported
    from agentcl.memory.forgetting import LostLesson, Receipt
    from agentcl.memory.graph import Graph, GraphStats, GraphView, Near, Node
    from agentcl.memory.jobs import Jobs
    from agentcl.memory.lessons import Lessons
    from agentcl.memory.memory import Memory
    from agentcl.memory.merging import Edit
    from agentcl.memory.paging import Page
    from agentcl.memory.remembering import Remembered
    from agentcl.memory.routing import AdapterRoute
    from agentcl.memory.settings import Setting
    from agentcl.memory.showing import Shown
    from agentcl.memory.statement_search import FoundStatement
    from agentcl.memory.statements import Statements
    from agentcl.memory.storage import Stats, Storage
    from agentcl.memory.syncing import Synced
    from agentcl.memory.tidying import TidyReport
    from agentcl.memory.tiers import Tier
    from agentcl.memory.tracing import trace_memories
    from agentcl.memory.trials import AdapterTrial
    from agentcl.memory.watching import Deed, watch
    from agentcl.memory.weaving import Soft, SoftMemory

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
        "adapters": "AdapterDifference Adapters HeldRecord",
        "aliases": "Aliases",
        "aio": "AsyncMemory AsyncVerbs",
        "aio_rooms": "AsyncEpisode",
        "checking": "ModelChecker",
        "compressed": "Compressed CompressedPassage CompressionReport CompressionState",
        "context": "Context ContextForm",
        "conversations": "Conversations",
        "doctor": "Problem Report",
        "digesting": "DigestReport",
        "documents": "Draft",
        "episode": "EpisodeRecorder",
        "episode_recall": "EpisodeRecall",
        "episode_search": "EpisodeHit EpisodesFound Filter Replay",
        "episodes": "Episodes",
        "explanations": "Explanation",
        "extraction": "ModelExtractor Recognition",
        "facts": "ExtractionReport ExtractionState Facts FactsImported",
        "forgetting": "LostLesson Receipt",
        "graph": "Graph GraphStats GraphView Near Node",
        "jobs": "Jobs",
        "lessons": "Lessons",
        "memory": "Memory",
        "changing": "UNCHANGED",
        "merging": "Edit",
        "paging": "Page",
        "remembering": "Remembered",
        "routing": "AdapterRoute",
        "settings": "Setting",
        "showing": "Shown",
        "statement_search": "FoundStatement",
        "statements": "Statements",
        "storage": "Stats Storage",
        "syncing": "Synced",
        "tidying": "TidyReport",
        "tiers": "Tier",
        "tracing": "trace_memories",
        "trials": "AdapterTrial",
        "watching": "Deed watch",
        "weaving": "Soft SoftMemory",
    })  # fmt: skip
