"""Train a codec for one frozen base: `python -m training.compressor --base reference --preset gpu|cpu|smoke`."""

from __future__ import annotations

import random
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentcl.cli.stopping import stopping
from agentcl.errors import AgentclError, InvalidInput
from training.compressor.bases import REFERENCE, Base, find_base
from training.compressor.data import Size, Source, from_rows, made_up
from training.compressor.objectives import Weights
from training.compressor.presets import PRESETS, Preset

if TYPE_CHECKING:
    from training.compressor.frames import Batch
    from training.compressor.train import Training

_COUNTED = (
    160_000  # documents that a dry run counts: two passes over the training questions of SQuAD
)
_GATES = (0.0, 0.05)  # the share of a corpus that is never trained on


@click.command(help=__doc__)
@click.option("--base", "name", required=True, help="`reference`, a kept model, or a folder.")
@click.option("--preset", "kind", type=click.Choice(sorted(PRESETS)), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Rows with passage, question and answer, one JSON object a line; not for `reference`.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="End after this time.")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="NAME=WEIGHT",
    help=f"Another weight; 0 leaves it out: {', '.join(one.name for one in fields(Weights))}.",
)
@click.option("--dry-run", is_flag=True, help="Count tokens, time and money, and train nothing.")
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
def main(
    name: str,
    kind: str,
    out: Path,
    data: tuple[Path, ...],
    seed: int,
    minutes: float | None,
    objectives: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
) -> None:
    """Run from the command line; Ctrl-C saves, and the same command goes on."""
    from training.compressor.train import train

    try:
        base = find_base(name)
        preset = _preset(base.presets[kind], minutes, objectives)
        if dry_run:
            click.echo(_count(base, preset, data, seed))
            return
        with stopping("stopping after this step; once more ends at once") as is_stopped:
            training = _training(base, preset, data, out, seed)
            progress = train(training, is_quiet=quiet, should_stop=is_stopped)
            _export(base, preset, training, out, kind, seed)
    except AgentclError as error:
        raise click.ClickException(str(error)) from error
    done = f"{progress.documents:,} documents in {progress.seconds / 60:.1f} min, in {out}"
    click.echo(
        f"stopped after {done}; the same command goes on" if is_stopped() else f"trained {done}"
    )


def _preset(preset: Preset, minutes: float | None, objectives: tuple[str, ...]) -> Preset:
    known = {one.name for one in fields(Weights)}
    changed: dict[str, Any] = {}
    for said in objectives:
        name, _, weight = said.partition("=")
        try:
            if name not in known:
                raise ValueError(name)
            changed[name] = bool(float(weight)) if name == "whole" else float(weight)
        except ValueError:
            raise InvalidInput(
                f"--objective {said} is none of NAME=WEIGHT with {', '.join(sorted(known))}"
            ) from None
    weights = replace(preset.weights, **changed)
    return replace(preset, weights=weights, minutes=minutes or preset.minutes)


def _sources(base: Base, data: tuple[Path, ...]) -> tuple[Source, Source]:
    """Return what is trained on, and what gates are drawn from."""
    if base.name == REFERENCE:
        if data:
            raise InvalidInput("the reference model reads made-up worlds only: leave --data out")
        return made_up(), made_up(held_out=True)
    return from_rows(data, share=(_GATES[1], 1.0)), from_rows(data, share=_GATES)


def _training(base: Base, preset: Preset, data: tuple[Path, ...], out: Path, seed: int) -> Training:
    import torch

    from training.compressor.frames import Framer
    from training.compressor.gates import Gates
    from training.compressor.model import Compressor
    from training.compressor.train import Training

    torch.manual_seed(seed)
    draw, draw_held_out = _sources(base, data)
    loaded, tokenizer = base.load()
    model = Compressor(loaded, slots=preset.slots, rank=preset.rank)
    torch.nn.Module.to(model, loaded.device, torch.bfloat16)
    framer = Framer(tokenizer, base.frame)
    rng = random.Random(f"gates:{seed}")
    drawn = [draw_held_out(rng, Size(6, 9)) for _ in range(preset.gate_size)]
    gates = Gates(framer, drawn, (4, 8, 16, preset.slots))
    return Training(model, framer, draw, gates, preset, out, seed=seed)


def _count(base: Base, preset: Preset, data: tuple[Path, ...], seed: int) -> str:
    from transformers import AutoTokenizer

    from training.compressor.count import count, described, parameters_of
    from training.compressor.frames import Framer

    draw, _ = _sources(base, data)
    framer = Framer(AutoTokenizer.from_pretrained(str(base.folder)), base.frame)
    rng = random.Random(f"count:{seed}")
    last = preset.stages[-1]
    batches: list[Batch] = [
        framer.batch([draw(rng, last.size)], is_whole=preset.weights.whole) for _ in range(64)
    ]
    slots = round(sum(k * p for k, p in last.slots.items()) / sum(last.slots.values()))
    found = count(parameters_of(base.folder), batches, preset.weights, slots=slots)
    return described(found, preset, documents=_COUNTED)


def _export(
    base: Base, preset: Preset, training: Training, out: Path, kind: str, seed: int
) -> None:
    from training.compressor.export import export

    progress = training.progress
    made = {
        "preset": kind,
        "seed": seed,
        "minutes": round(progress.seconds / 60, 1),
        "steps": progress.steps,
        "documents": progress.documents,
        "tokens": progress.tokens,
        "is_over": training.done >= 1,
        "weights": asdict(preset.weights),
    }
    export(
        training.model,
        out / "codec",
        name=f"{Path(base.name).name}-1",
        base=base.fingerprint(),
        engine=base.engine,
        limit=preset.longest,
        frame=base.frame,
        made=made,
    )


if __name__ == "__main__":
    main()
