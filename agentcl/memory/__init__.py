"""`Memory` and its verbs."""

from agentcl.memory.aio import AsyncMemory
from agentcl.memory.memory import UNCHANGED, Memory

__all__ = ["UNCHANGED", "AsyncMemory", "Memory"]
