"""The command line: `agentcl COMMAND --help` tells what each does."""

from __future__ import annotations

from typing import Final

import click

from agentcl.cli.lazy import LazyGroup

_COMMANDS: Final = {  # where each is, and the first line of its help
    "adapters": (
        "agentcl.cli.adapters:adapters",
        "Look at what was trained on memory, and decide about it.",
    ),
    "add": ("agentcl.cli.memory:add", "Remember files, folders, or standard input (-)."),
    "bench": ("agentcl.cli.bench:bench", "Compare memories on tasks and on questions."),
    "chat": ("agentcl.cli.chat:chat", "Talk to a model that remembers."),
    "compress": (
        "agentcl.cli.compress:compress",
        "Make soft tokens of passages, for a base model to read.",
    ),
    "context": (
        "agentcl.cli.context:context",
        "Print what a model should be shown before it answers.",
    ),
    "copy": (
        "agentcl.cli.store:copy",
        "Copy a memory into an empty place, in a folder or a database.",
    ),
    "consolidate": (
        "agentcl.cli.consolidate:consolidate",
        "Move proved memory into an adapter of the model.",
    ),
    "delete": ("agentcl.cli.memory:delete", "Stop finding a record; its history stays."),
    "digest": ("agentcl.cli.statements:digest", "Read conversations for what they state."),
    "doctor": ("agentcl.cli.store:doctor", "Check the whole folder, and print the settings."),
    "envs": ("agentcl.cli.envs:envs", "Look at the domains that agents are tested in."),
    "episodes": ("agentcl.cli.episodes:episodes", "Look at what agents went through."),
    "export": ("agentcl.cli.store:export", "Write a memory to a file of JSON lines, losslessly."),
    "extract": ("agentcl.cli.graph:extract", "Let a language model list the facts of passages."),
    "forget": ("agentcl.cli.memory:forget", "Remove records and their bytes for good."),
    "graph": ("agentcl.cli.graph:graph", "Look at the graph of what passages name and state."),
    "guidance": ("agentcl.cli.guidance:guidance", "Look at lessons, and decide about them."),
    "history": ("agentcl.cli.memory:history", "Print every version of a record."),
    "import": ("agentcl.cli.store:import_", "Merge the records of an export."),
    "jobs": ("agentcl.cli.jobs:jobs", "Look at long work, run it, or decide against it."),
    "key": ("agentcl.cli.serve:key", "Say who gets into a served memory."),
    "ledger": ("agentcl.cli.models:ledger", "Print what calls to language models cost."),
    "list": ("agentcl.cli.memory:list_", "List records, one a line."),
    "mcp": ("agentcl.cli.mcp:mcp", "Serve a memory to editors and agents (MCP)."),
    "model": (
        "agentcl.cli.models:model",
        "Fetch a language model, serve one, or find out what one can do.",
    ),
    "practise": ("agentcl.cli.practise:practise", "Let an agent play where it learns most."),
    "profile": (
        "agentcl.cli.context:profile",
        "Print what holds about somebody, as a block for a prompt.",
    ),
    "reembed": ("agentcl.cli.store:reembed", "Replace all vectors by another encoder's."),
    "reindex": ("agentcl.cli.store:reindex", "Build every index anew from the journal."),
    "remember": ("agentcl.cli.remember:remember", "Remember the messages of a conversation."),
    "search": ("agentcl.cli.memory:search", "Find what is remembered, best first, and say why."),
    "serve": ("agentcl.cli.serve:serve", "Serve a memory over HTTP."),
    "show": ("agentcl.cli.memory:show", "Print one record in full."),
    "snapshot": ("agentcl.cli.store:snapshot", "Copy a memory into a new folder."),
    "statements": (
        "agentcl.cli.statements:statements",
        "Look at what is said to hold, and decide about it.",
    ),
    "stats": ("agentcl.cli.store:stats", "Print how much is stored."),
    "tidy": ("agentcl.cli.statements:tidy", "Put statements in order; nothing said is lost."),
    "trust": (
        "agentcl.cli.trust:trust",
        "Confirm what a folder names: an encoder, a server, a path.",
    ),
}


@click.group(
    cls=LazyGroup,
    table=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="agentcl")
def main() -> None:
    """Keep a memory for agents in a folder, and find what is in it.

    The folder is --path, else AGENTCL_PATH, else `path` in agentcl.toml, else ./agentcl-memory.
    """
