"""What a GGUF says of itself."""

import struct
from pathlib import Path

import pytest

from agentcl.errors import ModelUnavailable
from agentcl.models.gguf import about_gguf


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(*pairs: bytes, version: int = 3, count: int | None = None) -> bytes:
    head = struct.pack("<IQQ", version, 0, len(pairs) if count is None else count)
    return b"GGUF" + head + b"".join(pairs)


def pair(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def test_texts_of_the_head_are_read_past_numbers_and_short_lists(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    number = text("general.size") + struct.pack("<IQ", 10, 7)
    tags = text("general.tags") + struct.pack("<IIQ", 9, 8, 2) + text("chat") + text("small")
    sizes = text("general.sizes") + struct.pack("<IIQ3I", 9, 4, 3, 1, 2, 3)
    licence = pair("general.license", "apache-2.0")
    file.write_bytes(gguf(pair("general.architecture", "llama"), number, tags, sizes, licence))
    assert about_gguf(file) == {
        "general.architecture": "llama",
        "general.license": "apache-2.0",
    }


def test_a_vocabulary_ends_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    words = text("tokenizer.tokens") + struct.pack("<IIQ", 9, 8, 1_000_000)
    file.write_bytes(gguf(pair("general.name", "m"), words, pair("after", "it")))
    assert about_gguf(file) == {"general.name": "m"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 a zip",
        b"GGUF",
        gguf(version=1),
        gguf(pair("general.name", "cut off")[:-3]),
        gguf(text("general.name") + struct.pack("<IQ", 8, 1 << 60)),
        gguf(text("general.name") + struct.pack("<I", 99)),
        gguf(text("\x00")[:-1] + b"\xff"),
        gguf(count=3),
    ],
)
def test_what_is_damaged_or_no_gguf_says_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="GGUF"):
        about_gguf(file)
