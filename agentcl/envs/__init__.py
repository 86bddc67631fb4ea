"""Where agents are tested: environments, domains of them, streams of tasks, questions."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.envs.base import (
        SPLITS,
        Bounded,
        Bounds,
        Determinism,
        Domain,
        Environment,
        Instructive,
        Observation,
        Oracle,
        Outcome,
        Score,
        Split,
        Task,
    )
    from agentcl.envs.batch import (
        EnvironmentBatch,
    )
    from agentcl.envs.checking import (
        Finding,
        check,
    )
    from agentcl.envs.gymnasium import (
        FromGymnasium,
        ToGymnasium,
    )
    from agentcl.envs.isolation import (
        IsolatedEnvironment,
    )
    from agentcl.envs.policies import (
        NullPolicy,
        OraclePolicy,
        Played,
        Policy,
        RandomPolicy,
        ReplayPolicy,
        play,
        policies_of,
    )
    from agentcl.envs.questions.fact_consolidation import (
        fact_consolidation_stream,
    )
    from agentcl.envs.questions.grading import (
        exact_match,
        recall_at,
        token_f1,
    )
    from agentcl.envs.questions.numbered_facts import (
        newest,
        read_facts,
    )
    from agentcl.envs.questions.records import (
        Arrival,
        Question,
        QuestionStream,
    )
    from agentcl.envs.questions.squad import (
        squad_stream,
    )
    from agentcl.envs.registry import (
        domain_names,
        open_domain,
    )
    from agentcl.envs.streams.builders import (
        Pools,
        adapt_stream,
        alternating_stream,
        block_stream,
        changing_stream,
        gen_env_stream,
        gen_task_stream,
        interleaved_stream,
        pools_of,
        random_stream,
        revisited_stream,
        two_passes,
    )
    from agentcl.envs.streams.curriculum import (
        by_difficulty,
        by_similarity,
        difficulty,
        oracle_steps,
    )
    from agentcl.envs.streams.reuse import (
        reused_stream,
        unrelated_stream,
    )
    from agentcl.envs.streams.stream import (
        READ_ONLY,
        StreamItem,
        TaskStream,
        load_stream,
        save_stream,
    )

__all__ = [
    "READ_ONLY",
    "SPLITS",
    "Arrival",
    "Bounded",
    "Bounds",
    "Determinism",
    "Domain",
    "Environment",
    "EnvironmentBatch",
    "Finding",
    "FromGymnasium",
    "Instructive",
    "IsolatedEnvironment",
    "NullPolicy",
    "Observation",
    "Oracle",
    "OraclePolicy",
    "Outcome",
    "Played",
    "Policy",
    "Pools",
    "Question",
    "QuestionStream",
    "RandomPolicy",
    "ReplayPolicy",
    "Score",
    "Split",
    "StreamItem",
    "Task",
    "TaskStream",
    "ToGymnasium",
    "adapt_stream",
    "alternating_stream",
    "block_stream",
    "by_difficulty",
    "by_similarity",
    "changing_stream",
    "check",
    "difficulty",
    "domain_names",
    "exact_match",
    "fact_consolidation_stream",
    "gen_env_stream",
    "gen_task_stream",
    "interleaved_stream",
    "load_stream",
    "newest",
    "open_domain",
    "oracle_steps",
    "play",
    "policies_of",
    "pools_of",
    "random_stream",
    "read_facts",
    "recall_at",
    "reused_stream",
    "revisited_stream",
    "save_stream",
    "squad_stream",
    "token_f1",
    "two_passes",
    "unrelated_stream",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(
        __name__,
        {
            "base": "SPLITS Bounded Bounds Determinism Domain Environment Instructive Observation Oracle Outcome Score Split Task",
            "batch": "EnvironmentBatch",
            "checking": "Finding check",
            "gymnasium": "FromGymnasium ToGymnasium",
            "isolation": "IsolatedEnvironment",
            "policies": "NullPolicy OraclePolicy Played Policy RandomPolicy ReplayPolicy play policies_of",
            "questions.fact_consolidation": "fact_consolidation_stream",
            "questions.grading": "exact_match recall_at token_f1",
            "questions.numbered_facts": "newest read_facts",
            "questions.records": "Arrival Question QuestionStream",
            "questions.squad": "squad_stream",
            "registry": "domain_names open_domain",
            "streams.builders": "Pools adapt_stream alternating_stream block_stream changing_stream gen_env_stream gen_task_stream interleaved_stream pools_of random_stream revisited_stream two_passes",
            "streams.curriculum": "by_difficulty by_similarity difficulty oracle_steps",
            "streams.reuse": "reused_stream unrelated_stream",
            "streams.stream": "READ_ONLY StreamItem TaskStream load_stream save_stream",
        },
    )
