"""Proved memory as LoRA adapters of the frozen model: chosen, built, trained, judged, and revoked with what they hold."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.consolidation.bounds import AdapterMeasures, GateBounds, judge
    from agentcl.consolidation.general import GENERAL, Probe
    from agentcl.consolidation.job import Consolidate, ConsolidationWish, unfinished
    from agentcl.consolidation.merging import merge_adapters
    from agentcl.consolidation.methods.hooks import EWC, ExperienceReplay, L2ToStart, Method, Run
    from agentcl.consolidation.methods.masks import HalfMask, MagnitudeGate
    from agentcl.consolidation.methods.slow import Interpolation, Reptile, SlowCopy
    from agentcl.consolidation.methods.stacks import IncrementalLora, OrthogonalLora
    from agentcl.consolidation.methods.teachers import EarlierSelf, GeneralStates, SelectedLayers
    from agentcl.consolidation.recipes import Recipe
    from agentcl.consolidation.resolving import AdapterResolver
    from agentcl.consolidation.rows.building import Manifest, TrainingRow, rows_of
    from agentcl.consolidation.rows.exporting import export_episodes
    from agentcl.consolidation.rows.selecting import ChoicePolicy, RecordChoice, Selection, select
    from agentcl.consolidation.rows.sequences import LearnedTask, load_task, task_names
    from agentcl.consolidation.selector import BARE, AdapterSelector
    from agentcl.consolidation.serving import AdapterServer, ServedAdapter
    from agentcl.memory.adapters.ridge import ExactRidge

__all__ = [
    "BARE", "EWC", "GENERAL", "AdapterMeasures", "AdapterResolver", "AdapterSelector", "AdapterServer", "ChoicePolicy", "Consolidate",
    "ConsolidationWish", "EarlierSelf", "ExactRidge", "ExperienceReplay", "GateBounds", "GeneralStates", "HalfMask",
    "IncrementalLora", "Interpolation", "L2ToStart", "LearnedTask", "MagnitudeGate", "Manifest",
    "Method", "OrthogonalLora", "Probe", "Recipe", "RecordChoice", "Reptile", "Run", "SelectedLayers", "Selection", "ServedAdapter",
    "SlowCopy", "TrainingRow", "export_episodes", "judge", "load_task", "merge_adapters", "rows_of", "select",
    "task_names", "unfinished",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "bounds": "GateBounds AdapterMeasures judge",
        "rows.building": "Manifest TrainingRow rows_of",
        "rows.exporting": "export_episodes",
        "general": "GENERAL Probe",
        "job": "Consolidate ConsolidationWish unfinished",
        "methods.masks": "HalfMask MagnitudeGate",
        "merging": "merge_adapters",
        "methods.hooks": "EWC L2ToStart Method ExperienceReplay Run",
        "recipes": "Recipe",
        "resolving": "AdapterResolver",
        "rows.selecting": "RecordChoice ChoicePolicy Selection select",
        "selector": "BARE AdapterSelector",
        "rows.sequences": "LearnedTask load_task task_names",
        "serving": "AdapterServer ServedAdapter",
        "methods.slow": "Interpolation Reptile SlowCopy",
        "methods.stacks": "IncrementalLora OrthogonalLora",
        "methods.teachers": "EarlierSelf GeneralStates SelectedLayers",
        "agentcl.memory.adapters.ridge": "ExactRidge",
    })  # fmt: skip
