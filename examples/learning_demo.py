"""The whole claim in one go: a frozen model gets better at its work, because of what stands in its prompt.

    python examples/learning_demo.py

The reference model plays incidents of three deployments, whose rules nobody told it, with memory and without,
and writes its own lessons. Needs `pip install 'agentcl[reference]'`, nothing from the network, and a few minutes;
`--agent responder` shows the same with a script instead of a model, in seconds and with the base install.

    python examples/learning_demo.py --url http://127.0.0.1:8000/v1 --model NAME

plays with any instruction-tuned model behind an OpenAI-compatible endpoint. Its lessons are drawn from what followed
what, and cost no tokens. `make demo-real` fetches such a model and serves it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from agentcl.bench import (
    LessonLine,
    ResultRow,
    RunFolder,
    begin,
    from_mapping,
    go_on,
    lesson_lines,
    write_report,
)

sys.path.insert(0, str(Path(__file__).parent))
from curves import NAMES, draw

FOLDER = Path("demo-run")
PICTURE = Path("demo-curves.svg")
LAST = 10  # episodes that a point of a curve is the mean of
LESSONS = 8  # that are shown at the end


def main() -> None:
    """Run the demo in the working folder; an earlier run of it is replaced."""
    parser = argparse.ArgumentParser(description="A frozen model learns, by its memory alone.")
    parser.add_argument("--agent", choices=("model", "responder"), default="model")
    parser.add_argument("--episodes", type=int, default=60, help="in each deployment")
    parser.add_argument("--deployments", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    parser.add_argument("--url", default="", help="of an endpoint whose model plays instead")
    parser.add_argument("--model", default="reference", help="as the endpoint names it")
    show(parser.parse_args())


def show(asked: argparse.Namespace) -> None:
    """Play, draw, and say what was learned and what it was worth."""
    started = time.monotonic()
    folder = play(asked)
    rows = {baseline: list(folder.rows(baseline)) for baseline in folder.settings.memory.baselines}
    curves = {baseline: curve(its) for baseline, its in rows.items()}
    subtitle = (
        f"{folder.about['model']}, {asked.deployments} deployments; cleared without a wasted step, "
        f"of the last {LAST} episodes"
    )
    PICTURE.write_text(draw(curves, title="Incidents: the model is frozen, the memory learns",
                            subtitle=subtitle), "utf-8")  # fmt: skip
    show_lessons(lesson_lines(folder))
    show_worth(rows)
    before, after = folder.about["fingerprint before"], folder.about["fingerprint after"]
    if before:
        same = "the same" if before == after else "ANOTHER"
        click.echo(
            f"\nThe model's weights: {before[:16]} before, {after[:16]} after: {strong(same)}."
        )
    page = write_report(folder)[0]
    click.echo(f"\nThe curves are in {strong(PICTURE)}, everything else in {strong(page)} "
               f"({time.monotonic() - started:.0f} s in all). Next, try:")  # fmt: skip
    print(f"  .venv/bin/agentcl guidance list --path {folder.memory_path('guidance', 0)}")


def play(asked: argparse.Namespace) -> RunFolder:
    """Play with memory and without, and show how it goes."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    tables = {
        "name": "demo",
        "seeds": list(range(asked.deployments)),
        "workers": asked.workers,
        "tasks": {"domain": "incidents", "families": ["remedy"], "episodes": asked.episodes},
        "agent": {
            "name": asked.agent,
            "model": asked.model,
            "url": asked.url,
            "teacher": "outcomes" if asked.url else "agent",
        },
        "memory": {"baselines": list(NAMES), "encoder": "hashing"},
    }
    folder = begin(FOLDER, from_mapping(tables, where="the demo"))
    rows: dict[str, list[ResultRow]] = {baseline: [] for baseline in NAMES}
    total = len(NAMES) * asked.deployments * asked.episodes
    started = time.monotonic()
    drawn = 0

    def on_row(row: ResultRow) -> None:
        nonlocal drawn
        rows[row.baseline].append(row)
        played = sum(map(len, rows.values()))
        if sys.stdout.isatty() or played == total:  # a file gets the end alone
            shown = [*table(rows), f"playing: {played}/{total}, {time.monotonic() - started:.0f} s"]
            click.echo(f"\x1b[{drawn}A\x1b[J" if drawn else "", nl=False)
            click.echo("\n".join(shown))
            drawn = len(shown)

    go_on(folder, on_row=on_row)
    return RunFolder(FOLDER)


def table(rows: Mapping[str, Sequence[ResultRow]]) -> list[str]:
    """Return how both do so far; solved: the alert was cleared without a wasted step."""
    line = "{:<18}{:<10}{:<8}{:<10}{:<11}{}"
    lines = [strong(line.format("", "episodes", "solved", f"first {LAST}", f"latest {LAST}", "tokens for each solved"))]  # fmt: skip
    for baseline, its in rows.items():
        early = [row for row in its if row.number < LAST]
        late = [row for one in by_seed(its) for row in one[-LAST:]]
        tokens, solved = sum(row.tokens for row in its), sum(map(is_solved, its))
        cost = f"{tokens / solved:,.0f}" if solved and tokens else ""
        lines.append(line.format(NAMES[baseline], len(its), share(its), share(early), share(late), cost))  # fmt: skip
    return lines


def strong(text: object) -> str:
    """Return a text that a terminal shows bold."""
    return click.style(str(text), bold=True)


def by_seed(rows: Sequence[ResultRow]) -> list[list[ResultRow]]:
    """Return the rows of each deployment, in order."""
    return [[row for row in rows if row.seed == seed] for seed in sorted({r.seed for r in rows})]


def is_solved(row: ResultRow) -> bool:
    """Return whether the alert was cleared without a wasted step."""
    return row.score == 1


def share(rows: Sequence[ResultRow]) -> str:
    """Return the share that was solved, in words."""
    return f"{statistics.fmean(map(is_solved, rows)):.0%}" if rows else ""


def curve(rows: Sequence[ResultRow]) -> list[float]:
    """Return the share that was solved in the last few episodes, at each episode."""
    by_number = [
        [is_solved(row) for row in rows if row.number == number]
        for number in range(max(row.number for row in rows) + 1)
    ]
    return [
        statistics.fmean(one for some in by_number[max(0, end - LAST) : end] for one in some)
        for end in range(1, len(by_number) + 1)
    ]


def show_lessons(lines: Sequence[LessonLine]) -> None:
    """Print the lessons that earned their place, those with the most evidence first."""
    active = [line for line in lines if line.stage == "active"]
    active.sort(key=lambda line: -(line.confirmed - line.refuted))
    if not active:
        click.echo(
            f"\n{strong(f'None of {len(lines)} lessons has earned its place yet')}: play more episodes."
        )
        return
    earned = strong(f"{len(active)} of {len(lines)} lessons earned their place")
    click.echo(
        f"\n{earned}, such as these; shown as often as the coin said, tested by what later episodes taught:"
    )
    shown = active[:LESSONS]
    wide = max(len(line.sentence) for line in shown)
    columns = f"{{:<{wide}}}  {{:<7}}{{:<14}}{{:<13}}{{}}"
    click.echo(strong(columns.format("lesson", "trust", "gain", "shown", "tests")))
    for line in shown:
        gain = f"{line.uplift:+.2f} ± {line.high - line.uplift:.2f}"
        offered = f"{line.uses} of {line.uses + line.withheld:.0f}"
        tests = f"+{line.confirmed} -{line.refuted}"
        click.echo(columns.format(line.sentence, f"{line.trust:.0%}", gain, offered, tests))


def show_worth(rows: Mapping[str, Sequence[ResultRow]]) -> None:
    """Print what memory cost and saved, in tokens of all roles."""
    tokens = {baseline: sum(row.tokens for row in its) for baseline, its in rows.items()}
    solved = {baseline: sum(map(is_solved, its)) for baseline, its in rows.items()}
    click.echo(f"\nSolved: {solved['guidance']} with memory, {solved['none']} without. ", nl=False)
    if all(tokens.values()) and all(solved.values()):
        each = {baseline: tokens[baseline] / solved[baseline] for baseline in rows}
        learned = sum(
            u.tokens for row in rows["guidance"] for r, u in row.usage.items() if r != "act"
        )
        click.echo(f"Tokens for each: {each['guidance']:,.0f} against {each['none']:,.0f}, what was spent on "
                   f"learning ({learned:,}) counted in.")  # fmt: skip
    else:
        click.echo("No model was asked, so no tokens were spent.")


if __name__ == "__main__":
    main()
