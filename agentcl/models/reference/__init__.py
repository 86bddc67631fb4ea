"""The reference model: a small language model of our own that comes with the package.

It reads controlled English with invented names, so all that it answers has to come from its prompt.
"""

from agentcl.models.reference.shipped import REFERENCE_FOLDER, open_reference

__all__ = ["REFERENCE_FOLDER", "open_reference"]
