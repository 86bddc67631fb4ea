"""How what is kept is found: indexes, encoders, fusion, the graph, and hits packed for a prompt."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.retrieval.encoders import (
        Encoder,
        GivenVectors,
        HashingEncoder,
        default_encoder_name,
        open_encoder,
    )
    from agentcl.retrieval.encoders.openai import OpenAIEncoder
    from agentcl.retrieval.filters import Filters
    from agentcl.retrieval.framing import Form
    from agentcl.retrieval.graph.names import Extracted, Extractor, NameExtractor, Triple
    from agentcl.retrieval.graph.settings import Edges, GraphSettings
    from agentcl.retrieval.index import Change, Condition, Entry, Index, Match, Query
    from agentcl.retrieval.modes import MODES, PUBLISHED, Mode, SearchMode
    from agentcl.retrieval.recall import Hit, Link, LinkedFact, Packed, Quote, Recall, ScorePart
    from agentcl.retrieval.retriever import Retrieved, Retriever
    from agentcl.retrieval.states import IndexState
    from agentcl.retrieval.vectors.chroma import ChromaIndex
    from agentcl.retrieval.vectors.exact import ExactIndex
    from agentcl.retrieval.words.fulltext import FullTextIndex

__all__ = [
    "MODES", "PUBLISHED", "Change", "ChromaIndex", "Condition", "Edges", "Encoder", "Entry",
    "ExactIndex", "Extracted", "Extractor", "Filters", "Form", "FullTextIndex", "GivenVectors",
    "GraphSettings", "HashingEncoder", "Hit", "Index", "IndexState", "Link", "LinkedFact", "Match",
    "Mode", "NameExtractor", "OpenAIEncoder", "Packed", "Query", "Quote", "Recall", "Retrieved", "Retriever", "ScorePart", "SearchMode",
    "Triple", "default_encoder_name", "open_encoder",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "vectors.chroma": "ChromaIndex",
        "encoders": "Encoder GivenVectors HashingEncoder default_encoder_name open_encoder",
        "encoders.openai": "OpenAIEncoder",
        "vectors.exact": "ExactIndex",
        "filters": "Filters",
        "framing": "Form",
        "words.fulltext": "FullTextIndex",
        "graph.names": "Extracted Extractor NameExtractor Triple",
        "graph.settings": "Edges GraphSettings",
        "index": "Change Condition Entry Index Match Query",
        "modes": "MODES PUBLISHED Mode SearchMode",
        "recall": "Hit Link LinkedFact Packed Quote Recall ScorePart",
        "retriever": "Retrieved Retriever",
        "states": "IndexState",
    })  # fmt: skip
