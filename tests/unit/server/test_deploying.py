"""The files by which a server is deployed start it with options that it has."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from agentcl.cli.serve import serve

ROOT = Path(__file__).resolve().parents[3]


def commands() -> dict[str, list[str]]:
    """Return what each file starts, without the program's name."""
    image, compose, unit = (
        (ROOT / name).read_text("utf-8")
        for name in ("Dockerfile", "compose.yaml", "deploy/agentcl.service")
    )
    in_compose = compose[: compose.index("ports:")]
    return {
        "Dockerfile": json.loads(re.findall(r"^CMD (\[.*\])$", image, re.MULTILINE)[-1]),
        "compose.yaml": re.findall(r"^ +- (serve|--\S+)$", in_compose, re.MULTILINE),
        "agentcl.service": re.findall(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE)[0].split(),
    }


@pytest.mark.skipif(
    not (ROOT / "Dockerfile").exists(), reason="a checkout has it, an sdist has not"
)
def test_what_is_deployed_starts_with_options_that_there_are() -> None:
    for file, (verb, *options) in commands().items():
        assert verb == "serve", file
        given = serve.make_context("serve", options).params
        assert str(given["key_file"]).endswith("/key"), file
        assert given["log"] == "json", file
        assert file == "agentcl.service" or given["host"] == "0.0.0.0"
    assert "8321" in (ROOT / "Dockerfile").read_text("utf-8")
