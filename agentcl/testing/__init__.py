"""The contracts as test-suites: subclass one to test an implementation of your own.

Needs pytest and hypothesis.
"""

from agentcl.testing.actor import ActorContract
from agentcl.testing.index import OPEN, IndexContract, added, deleted, entry
from agentcl.testing.store import StoreContract

__all__ = ["OPEN", "ActorContract", "IndexContract", "StoreContract", "added", "deleted", "entry"]
