"""`agentcl compress`: passages become soft tokens of a base model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from agentcl.cli.options import ON, on_memory, workplace
from agentcl.cli.screen import Screen
from agentcl.cli.stopping import stopping
from agentcl.errors import InvalidInput

if TYPE_CHECKING:
    from agentcl.compression import Codec
    from agentcl.compression.bank import Form
    from agentcl.memory.compressed.room import CompressionReport
    from agentcl.memory.memory import Memory

_STOPPING: Final = "stopping after the batch under way; once more ends at once"


@click.command()
@click.option("--base", help="`reference`, the default, or the folder of a trained codec.")
@click.option("--model", help="The base model that such a codec was trained for.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and compress nothing.")
@click.option(
    "--reencode", is_flag=True, help="Also what another codec of the base compressed before."
)
@click.option("--slots", type=click.IntRange(1), help="Soft tokens a passage; default: all.")
@click.option(
    "--form", type=click.Choice(["float16", "int8"]), default="float16", help="How they are kept."
)
@click.option("--limit", type=click.IntRange(1), help="At most so many passages.")
@ON
@on_memory(across=True)
def compress(
    screen: Screen,
    memory: Memory,
    base: str | None,
    model: str | None,
    dry_run: bool,
    reencode: bool,
    slots: int | None,
    form: Form,
    limit: int | None,
    on: str | None,
    scope: dict[str, Any],
) -> None:
    """Make soft tokens of passages, for a base model to read.

    Only what is new is compressed. It can be stopped with Ctrl-C and run again: it goes on where it stopped. The text
    stays as it is, and is read wherever soft tokens cannot be.
    """
    codec = _open(memory, base, model)
    with stopping(_STOPPING) as is_stopped, screen.progress("compressing", None) as bar:
        report = memory.compressed.compress(
            codec,
            reencode=reencode,
            slots=slots,
            form=form,
            limit=limit,
            dry_run=dry_run,
            on=workplace(on),
            progress=bar.update,
            should_stop=is_stopped,
            **scope,
        )
    if screen.as_json:
        screen.json(report)
        return
    for line in _lines(report, codec.name):
        screen.line(line)
    if report.others:
        made = ", ".join(f"{count:,} by {name}" for name, count in report.others.items())
        screen.note(
            f"not used with {codec.name}: {made}. `agentcl compress --reencode` makes them anew from the text"
        )


def _open(memory: Memory, base: str | None, model: str | None) -> Codec:
    from agentcl.compression import open_codec
    from agentcl.models.reference.shipped import REFERENCE_NAME

    if base is not None and Path(base).is_dir():
        return open_codec(base, base=model or REFERENCE_NAME)
    if base not in (None, REFERENCE_NAME):
        raise InvalidInput(
            f"--base {base}: there is no such folder; it is `{REFERENCE_NAME}`, or the folder of a codec that was trained"
        )
    return memory.compressed.codec(REFERENCE_NAME)


def _lines(report: CompressionReport, codec: str) -> list[str]:
    """Return in words what was done, or would be."""
    if not report.remaining + report.compressed + sum(report.as_text.values()):
        return [f"there is no passage here that {codec} did not compress already"]
    if not report.job:
        return [
            f"{report.remaining:,} passages of {report.tokens:,} tokens are to be compressed by {codec}"
        ]
    lines = [
        f"{report.compressed:,} passages are {report.slots:,} soft tokens of {codec} now; as text they and what stays text "
        f"have {report.tokens:,} tokens"
    ]
    lines += [f"{count:,} left as text: {why}" for why, count in sorted(report.as_text.items())]
    lines += [f"{report.remaining:,} are still to be compressed"] if report.remaining else []
    return lines
