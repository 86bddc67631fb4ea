"""Long work that survives being killed: the loop, the queue of a store, and who runs it."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.jobs.cluster import Ray
    from agentcl.jobs.loop import LATER, work, work_in
    from agentcl.jobs.queue import Queue
    from agentcl.jobs.runner import Kind, Progress, Runner
    from agentcl.jobs.workplace import Here, Workplace
    from agentcl.store.jobs import Job, Price, State

__all__ = [
    "LATER", "Here", "Job", "Kind", "Price", "Progress", "Queue", "Ray", "Runner", "State", "Workplace", "work", "work_in",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "cluster": "Ray",
        "loop": "LATER work work_in",
        "queue": "Queue",
        "runner": "Kind Progress Runner",
        "workplace": "Here Workplace",
        "agentcl.store.jobs": "Job Price State",
    })  # fmt: skip
