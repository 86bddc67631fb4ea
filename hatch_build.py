"""What the package's page on an index shows: the README, whose links lead there too.

Links in the README are relative, so that they work in a checkout. With the variable PROJECT_URL, the address
of the public repository, they become absolute and `[project.urls]` is filled. Without it the words stay and
their links go: no link that leads nowhere is published.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

try:
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ImportError:  # its tests need no build
    MetadataHookInterface = object

_PICTURE: Final = re.compile(r"^!\[[^\]]*\]\((?!https?://)([^)\s]+)\)\n*", re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?!https?://|#)([^)\s]+)\)")


class IndexPage(MetadataHookInterface):
    """Gives the metadata `readme` and `urls`."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml calls dynamic."""
        url = os.environ.get("PROJECT_URL", "")
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": index_page(text, url)}
        metadata["urls"] = urls(url)


def index_page(readme: str, url: str) -> str:
    """Return a README without relative links; `url` is that of the repository, or empty."""
    if not url:
        return _LINK.sub(r"\1", _PICTURE.sub("", readme))
    base = url.rstrip("/")
    pictured = _PICTURE.sub(
        lambda found: found[0].replace(found[1], f"{base}/raw/HEAD/{found[1]}"), readme
    )
    return _LINK.sub(rf"[\1]({base}/blob/HEAD/\2)", pictured)


def urls(url: str) -> dict[str, str]:
    """Return the links beside the package's page."""
    if not url:
        return {}
    base = url.rstrip("/")
    return {
        "Repository": base,
        "Documentation": f"{base}/blob/HEAD/docs/index.md",
        "Changes": f"{base}/blob/HEAD/CHANGELOG.md",
    }
