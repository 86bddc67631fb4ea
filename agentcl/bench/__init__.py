"""Benchmarks of memories: runs over tasks and questions, baselines, measures and reports."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.bench.baselines.base import Baseline, Item
    from agentcl.bench.baselines.registry import baseline_names, open_baseline
    from agentcl.bench.build import agent_names, source_names
    from agentcl.bench.folder import RunFolder
    from agentcl.bench.metrics.costs import (
        EpisodeCost,
        RoleCost,
        cost_by_role,
        cost_per_success,
        spread,
        tokens_by_episode,
    )
    from agentcl.bench.metrics.curves import (
        adaptive_efficiency,
        area_under_curve,
        break_even_cost,
        break_even_score,
        learning_slope,
        prequential_scores,
    )
    from agentcl.bench.metrics.intervals import (
        Interval,
        paired_interval,
        sign_test,
        student_interval,
        units_needed,
        unpaired_interval,
    )
    from agentcl.bench.metrics.lifelong import Block, Lifelong, lifelong
    from agentcl.bench.metrics.plasticity import Attempt, Reuse, reuse
    from agentcl.bench.metrics.readings import attempts_from, blocks_from, matrix_from
    from agentcl.bench.metrics.transfer import ScoreMatrix, Transfer, transfer
    from agentcl.bench.metrics.windowed import Windowed, windowed
    from agentcl.bench.report.compare import Comparison, compare_runs
    from agentcl.bench.report.estimates import Estimate
    from agentcl.bench.report.lessons import LessonLine, lesson_lines
    from agentcl.bench.report.summary import Summary, summarise
    from agentcl.bench.report.writing import write_report
    from agentcl.bench.rows import Learned, ResultRow, StepRow
    from agentcl.bench.run import Progress, begin, go_on, progress
    from agentcl.bench.settings import (
        AgentSettings,
        MemorySettings,
        QuestionSettings,
        RunSettings,
        TaskSettings,
        from_mapping,
        load_settings,
    )
    from agentcl.bench.state_bench.learnings import CasesLearned, Learnings, learn_cases
    from agentcl.bench.state_bench.reading import (
        CalledTool,
        TalkTurn,
        Trajectory,
        read_trajectories,
    )
    from agentcl.bench.state_bench.scores import ComparedTasks, compare_tasks
    from agentcl.bench.streams import build_stream

__all__ = [
    "AgentSettings", "Attempt", "Baseline", "Block", "CalledTool", "CasesLearned", "ComparedTasks",
    "Comparison", "EpisodeCost", "Estimate", "Interval", "Item", "Learned", "Learnings",
    "LessonLine", "Lifelong", "MemorySettings", "Progress", "QuestionSettings", "ResultRow",
    "Reuse", "RoleCost", "RunFolder", "RunSettings", "ScoreMatrix", "StepRow", "Summary",
    "TalkTurn", "TaskSettings", "Trajectory", "Transfer", "Windowed", "adaptive_efficiency",
    "agent_names", "area_under_curve", "attempts_from", "baseline_names", "begin", "blocks_from",
    "break_even_cost", "break_even_score", "build_stream", "compare_runs", "compare_tasks",
    "cost_by_role", "cost_per_success", "from_mapping", "go_on", "learn_cases", "learning_slope",
    "lesson_lines", "lifelong", "load_settings", "matrix_from", "open_baseline", "paired_interval",
    "prequential_scores", "progress", "read_trajectories", "reuse", "sign_test", "source_names",
    "spread", "student_interval", "summarise", "tokens_by_episode", "transfer", "units_needed",
    "unpaired_interval", "windowed", "write_report",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "baselines.base": "Baseline Item",
        "baselines.registry": "baseline_names open_baseline",
        "build": "agent_names source_names",
        "folder": "RunFolder",
        "rows": "Learned ResultRow StepRow",
        "run": "Progress begin go_on progress",
        "settings": "AgentSettings MemorySettings QuestionSettings RunSettings TaskSettings from_mapping load_settings",
        "state_bench.learnings": "CasesLearned Learnings learn_cases",
        "state_bench.reading": "CalledTool TalkTurn Trajectory read_trajectories",
        "state_bench.scores": "ComparedTasks compare_tasks",
        "streams": "build_stream",
        "metrics.costs": "EpisodeCost RoleCost cost_by_role cost_per_success spread tokens_by_episode",
        "metrics.curves": "adaptive_efficiency area_under_curve break_even_cost break_even_score learning_slope prequential_scores",
        "metrics.intervals": "Interval paired_interval sign_test student_interval units_needed unpaired_interval",
        "metrics.lifelong": "Block Lifelong lifelong",
        "metrics.plasticity": "Attempt Reuse reuse",
        "metrics.readings": "attempts_from blocks_from matrix_from",
        "metrics.transfer": "ScoreMatrix Transfer transfer",
        "metrics.windowed": "Windowed windowed",
        "report.compare": "Comparison compare_runs",
        "report.estimates": "Estimate",
        "report.lessons": "LessonLine lesson_lines",
        "report.summary": "Summary summarise",
        "report.writing": "write_report",
    })  # fmt: skip
