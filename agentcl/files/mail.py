"""Reading an e-mail message: its headers, its text, and the names of what is attached."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.policy import default
from typing import Final

from agentcl.errors import LoadError
from agentcl.files.html import read_page
from agentcl.files.limits import ReadLimits
from agentcl.files.source import Parsed, shorten

_HEADERS: Final = ("Subject", "From", "To", "Cc", "Date")
# What the parser of the standard library is known to raise for damaged messages.
_ERRORS: Final = (
    MessageError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def parse_mail(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return a message's headers and text, under its subject; what is attached is named.

    Of text and HTML the text is read.

    Raises:
        LoadError: if it is no message.
    """
    try:
        message = email.message_from_bytes(raw, policy=default)
        assert isinstance(message, EmailMessage)
        headers = [(name, shorten(message[name])) for name in _HEADERS if message[name]]
        if not headers:
            raise LoadError(f"{where} is no e-mail message: it has no {', '.join(_HEADERS)}")
        lines = [f"{name}: {value}" for name, value in headers]
        names = [*_attached(message)]
        attached = [f"Attached, not read: {', '.join(names)}"] if names else []
        text = "\n\n".join(filter(None, ["\n".join(lines), _body(message), *attached]))
    except _ERRORS as error:
        raise LoadError(f"{where} is not a readable e-mail message: {error}") from error
    return Parsed(shorten(message["Subject"]), text)


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    text = _decoded(part)
    return (read_page(text)[1] if part.get_content_subtype() == "html" else text).strip()


def _decoded(part: Message) -> str:
    """Return the text of a part; what is not of its own charset is replaced."""
    content = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    assert isinstance(content, bytes)
    try:
        text = content.decode(charset, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\0", "")


def _attached(message: EmailMessage) -> Iterator[str]:
    for part in message.iter_attachments():
        yield shorten(part.get_filename()) or part.get_content_type()
