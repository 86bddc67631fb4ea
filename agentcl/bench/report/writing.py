"""Writing a run's report into its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.episodes import choose_episodes
from agentcl.bench.report.markdown import report_markdown
from agentcl.bench.report.page import report_page
from agentcl.bench.report.pictures import PICTURES, write_pictures
from agentcl.bench.report.summary import summarise
from agentcl.errors import MissingExtra, StoreUnavailable
from agentcl.models.ledger import Prices

REPORTS: Final = ("report.html", "report.md", "report.json")


def write_report(folder: RunFolder, *, prices: Prices | None = None) -> list[Path]:
    """Write report.html, report.md, report.json and pictures beside a run's rows; return their paths.

    A run that has not ended is reported as far as it is. Without matplotlib the pictures are left out, and
    the report says so.

    Args:
        folder: of the run.
        prices: what tokens of its model cost.

    Raises:
        InvalidInput: if a row is damaged.
        StoreUnavailable: if the folder cannot be written.
    """
    summary = summarise(folder, prices=prices)
    chosen = choose_episodes(folder)
    note = ""
    try:
        for picture in PICTURES:  # an older report's, which this one may not have
            (folder.path / picture).unlink(missing_ok=True)
        try:
            pictures = write_pictures(folder.path, summary)
        except MissingExtra as error:
            pictures, note = [], f"Pictures are left out: {error}"
        texts = (
            report_page(summary, chosen, note=note),
            report_markdown(summary, pictures=[path.name for path in pictures], note=note),
            summary.to_json(),
        )
        written = []
        for file, text in zip(REPORTS, texts, strict=True):
            path = folder.path / file
            # A half of a pair of characters, which JSON may hold, cannot be encoded.
            path.write_bytes(text.encode("utf-8", errors="replace"))
            written.append(path)
    except OSError as error:
        raise StoreUnavailable(
            f"the report in {folder.path} cannot be written: {error.strerror or error}"
        ) from error
    return [*written, *pictures]
