"""The same claim with a real model: it is served by vLLM, never changes, and gets better by its memory alone.

    python examples/real_demo.py --model qwen2.5-coder-1.5b [--python PYTHON_WITH_VLLM] [--episodes 30]

MODEL is one of `agentcl model list`. `make demo-real` fetches the model and vLLM first. A whole run takes some ten minutes
on one processor: the start of vLLM one or two, the rest the episodes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import click

from agentcl import AgentclError
from agentcl.models import VllmServer, kept_model, unpacked

sys.path.insert(0, str(Path(__file__).parent))
from learning_demo import show

LIMITS = ("--max-model-len", "4096", "--max-num-seqs", "8")


def main() -> int:
    """Serve the model, play with memory and without, and stop it."""
    parser = argparse.ArgumentParser(description="A real model learns, by its memory alone.")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", help="of `agentcl model list`")
    parser.add_argument("--python", default=sys.executable, help="of an environment with vLLM")
    parser.add_argument("--episodes", type=int, default=30)
    asked = parser.parse_args()
    kept = kept_model(asked.model)
    if kept is None:
        click.echo(
            f"There is no model {asked.model!r} here: `make model`, or `agentcl model get`, fetches one."
        )
        return 1
    try:
        folder = unpacked(kept)
        click.echo(f"Starting vLLM with {kept.name}; this takes a minute or two.")
        fast = (
            "--enforce-eager",
            "--dtype",
            "bfloat16",
        )  # compiling would take longer than it saves
        with VllmServer(
            str(folder), served_name=kept.name, python=asked.python, arguments=(*LIMITS, *fast)
        ) as server:
            click.echo(f"{kept.name} answers at {server.url}.")
            show(
                argparse.Namespace(
                    agent="model", model=kept.name, url=server.url,
                    episodes=asked.episodes, deployments=1, workers=2,
                )
            )  # fmt: skip
    except AgentclError as error:
        click.echo(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
