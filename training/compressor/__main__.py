"""Train a codec for one frozen base: `python -m training.compressor --base reference --preset gpu|cpu|smoke`."""

from __future__ import annotations

import random
from pathlib import Path

import click

from agentcl.cli.stopping import stopping
from agentcl.errors import AgentclError
from training.compressor.presets import PRESETS, lengthened


@click.command(help=__doc__)
@click.option("--base", required=True, help="`reference`, or the folder of a model.")
@click.option("--preset", type=click.Choice(sorted(PRESETS)), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="End after this time.")
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
def main(base: str, preset: str, out: Path, seed: int, minutes: float | None, quiet: bool) -> None:
    """Run from the command line; Ctrl-C saves, and the same command goes on."""
    import torch

    from training.compressor.bases import load_base
    from training.compressor.data import Size, made_up
    from training.compressor.frames import FRAMES, Framer
    from training.compressor.gates import Gates
    from training.compressor.model import Compressor
    from training.compressor.train import Training, train

    chosen = PRESETS[preset]
    if minutes is not None:
        chosen = lengthened(chosen, minutes)
    torch.manual_seed(seed)
    try:
        loaded, tokenizer = load_base(base)
        model = Compressor(loaded, slots=chosen.slots, rank=chosen.rank).to(torch.bfloat16)
        framer = Framer(tokenizer, FRAMES["reference"])
        rng = random.Random(f"gates:{seed}")
        drawn = [made_up(held_out=True)(rng, Size(6, 9)) for _ in range(chosen.gate_size)]
        gates = Gates(framer, drawn, (4, 8, 16, 32))
        with stopping("stopping after this step; once more ends at once") as is_stopped:
            training = Training(model, framer, made_up(), gates, chosen, out, seed=seed)
            progress = train(training, is_quiet=quiet, should_stop=is_stopped)
    except AgentclError as error:
        raise click.ClickException(str(error)) from error
    done = f"{progress.documents:,} documents in {progress.seconds / 60:.1f} min, in {out}"
    click.echo(
        f"stopped after {done}; the same command goes on" if is_stopped() else f"trained {done}"
    )


if __name__ == "__main__":
    main()
