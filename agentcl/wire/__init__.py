"""What goes over HTTP: which verbs, and how values are spelled as JSON. The server and the client share it."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.wire.codec import from_json, to_json
    from agentcl.wire.verbs import LEFT_OUT, ROOMS, VERBS, Parameter, Verb

__all__ = ["LEFT_OUT", "ROOMS", "VERBS", "Parameter", "Verb", "from_json", "to_json"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "codec": "from_json to_json",
        "verbs": "LEFT_OUT ROOMS VERBS Parameter Verb",
    })  # fmt: skip
