"""`Memory` and its verbs."""

from agentcl.memory.aio import AsyncMemory
from agentcl.memory.memory import KEEP, Memory

__all__ = ["KEEP", "AsyncMemory", "Memory"]
