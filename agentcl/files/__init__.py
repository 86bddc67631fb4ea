"""Reading files: text, Markdown, tables, HTML, PDF, mail, Office files and books become sources of documents."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.files.folder import count, load, load_stream
    from agentcl.files.limits import ReadLimits
    from agentcl.files.source import Skipped, Source

__all__ = [
    "ReadLimits", "Skipped", "Source", "count", "load", "load_stream",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "folder": "count load load_stream",
        "limits": "ReadLimits",
        "source": "Skipped Source",
    })  # fmt: skip
