"""Where agents are tested: environments, domains of them, streams of tasks, questions."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.envs.acting import Act, Actor, Situation, act_until_over
    from agentcl.envs.base import (
        SPLITS,
        Bounded,
        Bounds,
        Determinism,
        Domain,
        Environment,
        Foreseen,
        Instructive,
        Observation,
        Oracle,
        Outcome,
        Score,
        Split,
        Task,
    )
    from agentcl.envs.batch import EnvironmentBatch
    from agentcl.envs.checking import Finding, check
    from agentcl.envs.domains.desk.domain import DeskDomain
    from agentcl.envs.domains.desk.tools import desk_tools
    from agentcl.envs.domains.excytin.domain import ExcytinDomain, IncidentLogsDomain
    from agentcl.envs.domains.incidents.domain import IncidentDomain
    from agentcl.envs.domains.taubench import TauBenchDomain, scripted_user
    from agentcl.envs.engines import EngineEnvironment
    from agentcl.envs.gymnasium import FromGymnasium, ToGymnasium
    from agentcl.envs.isolation import IsolatedEnvironment
    from agentcl.envs.names import Names
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
    from agentcl.envs.questions.fact_consolidation import fact_consolidation_stream
    from agentcl.envs.questions.grading import (
        exact_match,
        has_all_at,
        is_no_answer,
        ndcg_at,
        normalise,
        recall_at,
        reciprocal_rank,
        token_f1,
    )
    from agentcl.envs.questions.histories import (
        GoldStatement,
        History,
        HoldingQuestion,
        Sitting,
        Utterance,
        load_histories,
        save_histories,
    )
    from agentcl.envs.questions.holding import holding_histories
    from agentcl.envs.questions.locomo import read_locomo
    from agentcl.envs.questions.longmemeval import longmemeval_streams
    from agentcl.envs.questions.memory_agent_bench import memory_agent_bench_streams
    from agentcl.envs.questions.multihop import hotpotqa_stream, paragraphs_stream
    from agentcl.envs.questions.numbered_facts import newest, read_facts
    from agentcl.envs.questions.records import Arrival, Question, QuestionStream
    from agentcl.envs.questions.squad import squad_stream
    from agentcl.envs.registry import domain_names, open_domain
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
        recurring_stream,
        revisited_stream,
        two_passes,
    )
    from agentcl.envs.streams.curriculum import (
        by_difficulty,
        by_similarity,
        difficulty,
        oracle_steps,
    )
    from agentcl.envs.streams.reuse import reused_stream, unrelated_stream
    from agentcl.envs.streams.stream import (
        READ_ONLY,
        StreamItem,
        TaskStream,
        load_stream,
        save_stream,
    )

__all__ = [
    "READ_ONLY", "SPLITS", "Act", "Actor", "Arrival", "Bounded", "Bounds", "DeskDomain", "Determinism",
    "Domain", "EngineEnvironment", "Environment", "EnvironmentBatch", "ExcytinDomain", "Finding",
    "Foreseen", "FromGymnasium", "GoldStatement", "History", "HoldingQuestion", "IncidentDomain",
    "IncidentLogsDomain", "Instructive", "IsolatedEnvironment", "Names", "NullPolicy", "Observation",
    "Oracle", "OraclePolicy", "Outcome", "Played", "Policy", "Pools", "Question", "QuestionStream",
    "RandomPolicy", "ReplayPolicy", "Score", "Sitting", "Situation", "Split", "StreamItem", "Task",
    "TaskStream", "TauBenchDomain", "ToGymnasium", "Utterance", "act_until_over", "adapt_stream",
    "alternating_stream", "block_stream", "by_difficulty", "by_similarity", "changing_stream", "check",
    "desk_tools", "difficulty", "domain_names", "exact_match", "fact_consolidation_stream",
    "gen_env_stream", "gen_task_stream", "has_all_at", "holding_histories", "hotpotqa_stream",
    "interleaved_stream", "is_no_answer", "load_histories", "load_stream", "longmemeval_streams",
    "memory_agent_bench_streams", "ndcg_at", "newest", "normalise", "open_domain", "oracle_steps",
    "paragraphs_stream", "play", "policies_of", "pools_of", "random_stream", "read_facts",
    "read_locomo", "recall_at", "reciprocal_rank", "recurring_stream", "reused_stream",
    "revisited_stream", "save_histories", "save_stream", "scripted_user", "squad_stream", "token_f1",
    "two_passes", "unrelated_stream",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "acting": "Act Actor Situation act_until_over",
        "base": "SPLITS Bounded Bounds Determinism Domain Environment Foreseen Instructive Observation Oracle Outcome Score Split Task",
        "batch": "EnvironmentBatch",
        "checking": "Finding check",
        "engines": "EngineEnvironment",
        "domains.taubench": "TauBenchDomain scripted_user",
        "domains.desk.domain": "DeskDomain",
        "domains.desk.tools": "desk_tools",
        "domains.incidents.domain": "IncidentDomain",
        "domains.excytin.domain": "ExcytinDomain IncidentLogsDomain",
        "gymnasium": "FromGymnasium ToGymnasium",
        "isolation": "IsolatedEnvironment",
        "policies": "NullPolicy OraclePolicy Played Policy RandomPolicy ReplayPolicy play policies_of",
        "questions.fact_consolidation": "fact_consolidation_stream",
        "questions.grading": "exact_match has_all_at is_no_answer ndcg_at normalise recall_at reciprocal_rank token_f1",
        "questions.histories": "GoldStatement History HoldingQuestion Sitting Utterance load_histories save_histories",
        "questions.holding": "holding_histories",
        "questions.locomo": "read_locomo",
        "questions.longmemeval": "longmemeval_streams",
        "questions.memory_agent_bench": "memory_agent_bench_streams",
        "questions.multihop": "hotpotqa_stream paragraphs_stream",
        "questions.numbered_facts": "newest read_facts",
        "questions.records": "Arrival Question QuestionStream",
        "questions.squad": "squad_stream",
        "registry": "domain_names open_domain",
        "streams.builders": "Pools adapt_stream alternating_stream block_stream changing_stream gen_env_stream gen_task_stream interleaved_stream pools_of random_stream recurring_stream revisited_stream two_passes",
        "streams.curriculum": "by_difficulty by_similarity difficulty oracle_steps",
        "streams.reuse": "reused_stream unrelated_stream",
        "streams.stream": "READ_ONLY StreamItem TaskStream load_stream save_stream",
        "names": "Names",
    })  # fmt: skip
