"""Reading files: text, Markdown, tables, HTML and PDF become drafts of documents."""

from agentcl.files.folder import count, load, load_stream
from agentcl.files.source import Skipped, Source

__all__ = ["Skipped", "Source", "count", "load", "load_stream"]
