"""What turns text into vectors: one protocol, several encoders behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from agentcl.errors import InvalidInput

Role = Literal["query", "passage"]


@runtime_checkable
class Encoder(Protocol):
    """Maps texts to vectors of one fixed length. Safe to call from several threads.

    `name` and `dim` together identify the space that its vectors live in: two encoders that agree in
    both must give the same vectors. The journal remembers them and refuses any other. So a name says the
    model and what stands before texts, and not where the model is served.

    An encoder may have two further attributes. `named` is what `open_encoder` opens it by, where its
    `name` does not suffice. `probe` is the vector of a fixed text, once one was asked for: by it the
    memory notices another model under the same name.
    """

    name: str  # e.g. "minilm"
    is_lexical: bool  # True: it compares spelling, not meaning

    @property
    def dim(self) -> int:
        """The length of its vectors; a remote encoder may have to ask for it."""
        ...

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return one packed vector (`agentcl.store.pack`) for each text, in order.

        Raises:
            EncoderUnavailable: if a service behind the encoder does not answer.
        """
        ...


class GivenVectors:
    """Stands in for an encoder in a memory whose records and queries all come with vectors."""

    is_lexical = False

    def __init__(self, dim: int) -> None:
        self.name = f"given:{dim}"
        self.dim = dim

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Raise InvalidInput: there is nothing here that could encode."""
        raise InvalidInput(
            f"this memory takes ready vectors ({self.name}): pass vector= with every {role}"
        )
