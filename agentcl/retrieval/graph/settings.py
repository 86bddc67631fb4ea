"""What a graph's edges are, and how it is walked; names as in HippoRAG 2 (arXiv 2502.14802)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agentcl.errors import InvalidInput

DAMPING: Final = 0.5  # HippoRAG 2's: half of all steps return to the seeds
TOLERANCE: Final = 8e-6  # mass for each unit of degree that may be left waiting at a node


@dataclass(frozen=True, slots=True)
class Edges:
    """Which edges a graph has. A context edge (a passage names a phrase) always weighs 1.

    Attributes:
        names: what a passage that was read for facts names: "facts", their subjects and objects alone;
            "extracted", also the names that the extractor listed, or, where it listed none, those that
            the text shows without a model; "all", these in any case. A passage that was never read has
            only what its text shows.
        has_leaves: a phrase that one passage alone names has an edge. Such a phrase leads nowhere, and
            half of the walk's time is lost in going there and back.
        fact_weight: of the edge between subject and object, for each passage that states the fact.
        synonymy_threshold: least cosine of two phrases' vectors for an edge of that weight between
            them; None: no such edges, and no phrase is encoded.
        synonym_weight: times the cosine.
    """

    names: Literal["facts", "extracted", "all"] = "extracted"
    has_leaves: bool = False
    fact_weight: float = 0.0
    synonymy_threshold: float | None = None
    synonym_weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no graph. Raises InvalidInput."""
        if self.fact_weight < 0 or self.synonym_weight < 0:
            raise InvalidInput("weights of edges cannot be negative")
        if self.synonymy_threshold is not None and not 0.5 <= self.synonymy_threshold <= 1:
            raise InvalidInput(
                f"synonymy_threshold must be from 0.5 to 1, and is {self.synonymy_threshold}: below, "
                "nearly every phrase is a synonym of every other"
            )


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """How `mode="graph"` looks for passages.

    Attributes:
        edges: which edges the graph has.
        damping: the probability of following an edge instead of returning to a seed.
        tolerance: how exact the walk is; see `Walker.push`.
        linking_top_k: how many facts the question is linked to; 0: none.
        phrase_share: of the restarts, on the phrases of these facts; passages have the rest. It does
            not depend on how many passages there are.
    """

    edges: Edges = Edges()
    damping: float = DAMPING
    tolerance: float = TOLERANCE
    linking_top_k: int = 5
    phrase_share: float = 0.15

    def __post_init__(self) -> None:
        """Refuse what cannot be walked. Raises InvalidInput."""
        if not 0 <= self.damping < 1:
            raise InvalidInput(f"damping must be from 0 to below 1, and is {self.damping}")
        if not self.tolerance > 0:
            raise InvalidInput(f"tolerance must be above 0, and is {self.tolerance}")
        if self.linking_top_k < 0:
            raise InvalidInput(f"linking_top_k cannot be negative, and is {self.linking_top_k}")
        if not 0 <= self.phrase_share <= 1:
            raise InvalidInput(f"phrase_share must be from 0 to 1, and is {self.phrase_share}")


# As published: phrases of facts alone, each leaf kept; fact and synonym edges stored in both directions of
# an undirected graph and so counted twice.
HIPPORAG2: Final = GraphSettings(
    Edges(
        names="facts", has_leaves=True, fact_weight=2.0, synonymy_threshold=0.8, synonym_weight=2.0
    )
)
