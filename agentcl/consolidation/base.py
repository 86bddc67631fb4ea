"""The frozen model under an adapter: loaded, recognised, and how it is spoken to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import InvalidInput, ModelChanged, ModelUnavailable, needs
from agentcl.models.named import model_path
from agentcl.text.bars import without_bars

if TYPE_CHECKING:
    from agentcl.consolidation.rows.building import TrainingRow
    from agentcl.store.adapters import Adapter

IGNORED: Final = -100  # the label of a token that is not learned, as PyTorch's cross-entropy has it
_TRAINING: Final = "training adapters"
_CONTEXT: Final = "What is remembered:\n{memory}\n\n{prompt}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """By what a base is recognised; a LoRA loads without complaint on other weights of the same shape."""

    weights: str  # SHA-256 of the files, and of the shape in config.json
    vocabulary: str
    template: str


def folder_of(base: str) -> Path:
    """Return the folder of a base: a folder, or the name of a kept model. Raises ModelUnavailable."""
    folder = model_path(base)
    if not folder.is_dir() or not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(
            f"{base!r} is no folder with safetensors, so no adapter can be trained on it; fetch a model with "
            "`agentcl model get NAME`"
        )
    return folder


def fingerprint_of(folder: Path) -> Fingerprint:
    """Hash the weights, the vocabulary and the chat template in a folder; nothing is loaded.

    Raises:
        ModelUnavailable: if the folder cannot be read.
    """
    try:
        return Fingerprint(
            weights=_hash([folder / "config.json", *sorted(folder.glob("*.safetensors"))]),
            vocabulary=_hash(sorted({*folder.glob("tokenizer*"), *folder.glob("vocab*")})),
            template=_hash(sorted(folder.glob("*.jinja"))),
        )
    except OSError as error:
        raise ModelUnavailable(f"cannot read the model in {folder}: {error}") from error


def check_base(adapter: Adapter, folder: Path, fingerprint: Fingerprint | None = None) -> None:
    """Refuse to put an adapter on another model than it was trained on.

    Args:
        adapter: that is to be used.
        folder: of the model.
        fingerprint: of the folder, where it is known already.

    Raises:
        ModelChanged: naming what differs.
    """
    found = fingerprint or fingerprint_of(folder)
    for name in ("weights", "vocabulary", "template"):
        if getattr(adapter, name) != getattr(found, name):
            raise ModelChanged(
                f"the adapter {adapter.name} was trained on {adapter.base}, and {folder} has another {name}; "
                "load it on its own base, or train anew with `agentcl consolidate`"
            )


def load_base(folder: Path) -> tuple[Any, Any]:
    """Return the model, in float32 and on a GPU where there is one, and the tokenizer of a folder.

    Raises:
        MissingExtra: if the extra `train` is not installed.
        ModelUnavailable: if they cannot be loaded.
        InvalidInput: if the tokenizer has no chat template.
    """
    with needs(_TRAINING, "train"):
        import torch
        from transformers import AutoModelForCausalLM
    tokenizer = load_tokenizer(folder)
    try:
        with without_bars():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
            )
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"cannot load the model in {folder}: {error}") from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def load_tokenizer(folder: Path) -> Any:  # noqa: ANN401  # transformers'
    """Return the tokenizer of a folder. Raises as `load_base`."""
    with needs(_TRAINING, "train"):
        from transformers import AutoTokenizer
    try:
        with without_bars():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"cannot load the tokenizer in {folder}: {error}") from error
    if tokenizer.chat_template is None:
        raise InvalidInput(f"the tokenizer in {folder} has no chat template, so nobody talks to it")
    return tokenizer


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as tokens: the prompt as the server renders it, and the answer up to the end of the turn."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    taught: tuple[int, ...]  # the prompt with the memory in it; empty if there is none


def encode(tokenizer: Any, row: TrainingRow) -> Encoded:  # noqa: ANN401  # transformers'
    """Return a row as tokens.

    Prompt and answer are tokenized apart, as they are when a server generates. Raises InvalidInput.
    """
    prompt, tail = rendered(tokenizer, row.messages(), row.answer)
    answer = _ids(tokenizer, tail)
    end = tokenizer.eos_token_id
    answer = answer[: answer.index(end)] if end in answer else answer
    taught: list[int] = []
    if row.memory:
        asked = _CONTEXT.format(memory=row.memory, prompt=row.prompt)
        taught = _ids(tokenizer, rendered(tokenizer, [{"role": "user", "content": asked}])[0])
    return Encoded(tuple(_ids(tokenizer, prompt)), (*answer, end), tuple(taught))


def rendered(
    tokenizer: Any,  # noqa: ANN401  # transformers'
    messages: Sequence[dict[str, str]],
    answer: str = "",
) -> tuple[str, str]:
    """Return messages as the base's own template renders them, and what follows them for an answer.

    Raises:
        InvalidInput: if the template renders a prompt otherwise once it is answered.
    """
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(
        [*messages, {"role": "assistant", "content": answer}], tokenize=False
    )
    if not whole.startswith(prompt):
        raise InvalidInput(
            "the chat template renders a prompt otherwise once it is answered, so what is learned would not be "
            "what is asked; use a model with a plain template"
        )
    return prompt, whole[len(prompt) :]


def _ids(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401  # transformers'
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
