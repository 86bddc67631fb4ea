"""Long work that survives being killed: the loop, the queue of a store, and who runs it."""

from agentcl.jobs.loop import work, work_in
from agentcl.jobs.queue import Queue
from agentcl.jobs.runner import Kind, Progress, Runner
from agentcl.store.jobs import Job, Price, State

__all__ = ["Job", "Kind", "Price", "Progress", "Queue", "Runner", "State", "work", "work_in"]
