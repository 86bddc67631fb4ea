"""What every store must do.

from agentcl.testing import StoreContract

class TestMyStore(StoreContract):
def open(self, folder, *, read_only=False, clock=now_micros):
return MyStore(folder, read_only=read_only, clock=clock)
"""

from agentcl.testing.store.case import ACME, ADA, EVERYBODY, OTHER, SPEC, VECTOR, document, passage
from agentcl.testing.store.content import ContentContract
from agentcl.testing.store.counting import CountingContract
from agentcl.testing.store.history import HistoryContract
from agentcl.testing.store.lifetime import LifetimeContract

__all__ = [
    "ACME",
    "ADA",
    "EVERYBODY",
    "OTHER",
    "SPEC",
    "VECTOR",
    "StoreContract",
    "document",
    "passage",
]


class StoreContract(HistoryContract, ContentContract, CountingContract, LifetimeContract):
    """What every `Store` must do. A subclass says how to open one."""
