"""The other end of `IsolatedEnvironment`: `python -m agentcl.envs.child DOMAIN`, in a process of its own.

Requests come over an inherited socket as pickled pairs of a method's name and its arguments; answers go
back as ("value", it) or ("error", (name of the type, message, traceback)).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from agentcl.envs.base import Environment, Foreseen
from agentcl.envs.registry import open_domain


def main() -> None:
    """Serve one environment until the other side is gone."""
    handle, domain, options = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    # An environment that prints must not disturb whoever reads the standard output of the whole.
    os.dup2(2, 1)
    environment: Environment | None = None
    with Connection(handle) as connection:
        while True:
            try:
                method, arguments = connection.recv()
            except EOFError:
                break
            try:
                if environment is None:
                    environment = open_domain(domain, options).make()
                connection.send(("value", _answer(environment, method, arguments)))
            except Exception as error:  # noqa: BLE001  # whatever it is, the other side is to hear of it
                told = (type(error).__name__, str(error), traceback.format_exc())
                connection.send(("error", told))
    if environment is not None:
        environment.close()


def _answer(environment: Environment, method: str, arguments: dict[str, Any]) -> object:
    if method == "about":
        return environment.name, environment.determinism
    if method == "admissible_actions":
        actions = environment.admissible_actions(**arguments)
        return None if actions is None else list(actions)
    if method == "changes" and not isinstance(environment, Foreseen):
        return True
    return getattr(environment, method)(**arguments)


if __name__ == "__main__":
    main()
