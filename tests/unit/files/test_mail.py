"""E-mail messages as they are stored: what they say, and what is left out of them."""

from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import LoadError
from agentcl.files import Skipped, Source, load
from agentcl.files.limits import ReadLimits
from agentcl.files.mail import parse_mail


def read(tmp_path: Path, raw: bytes) -> Source:
    path = tmp_path / "message.eml"
    path.write_bytes(raw)
    (source,) = load(path)
    return source


def test_a_message_is_decoded_and_named_after_its_subject(tmp_path: Path) -> None:
    raw = (
        b"From: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>\r\nTo: ada@example.org\r\n"
        b"Subject: =?utf-8?B?RsOkaHJl?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"VGhlIGZlcnJ5IGxlYXZlcyBhdCBzZXZlbi4=\r\n"
    )
    source = read(tmp_path, raw)
    assert (source.title, source.media_type) == ("F\u00e4hre", "message/rfc822")
    assert source.text == (
        "Subject: F\u00e4hre\nFrom: Zo\u00eb <zoe@example.org>\nTo: ada@example.org\n"
        "Date: Mon, 02 Mar 2026 10:00:00 +0100\n\nThe ferry leaves at seven."
    )


def test_of_text_and_html_the_text_is_read_and_attachments_are_named(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = "Times", "a@example.org"
    message.set_content("Plain words.\n")
    message.add_alternative("<p>Words in HTML.", subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="times.pdf")
    source = read(tmp_path, message.as_bytes())
    assert source.text.endswith("\n\nPlain words.\n\nAttached, not read: times.pdf")
    assert "HTML" not in source.text


def test_of_html_alone_what_is_seen_is_read(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "Times"
    message.set_content("<p>Seen.<p style='display:none'>Not.", subtype="html")
    assert read(tmp_path, message.as_bytes()).text == "Subject: Times\n\nSeen."


def test_a_charset_that_is_wrong_or_unknown_loses_no_message(tmp_path: Path) -> None:
    for charset, shown in (
        ("x-unknown", "caf\ufffd"),
        ("ascii", "caf\ufffd"),
        ("latin-1", "caf\u00e9"),
    ):
        raw = f"Subject: a\r\nContent-Type: text/plain; charset={charset}\r\n\r\ncaf\xe9"
        assert shown in read(tmp_path, raw.encode("latin-1")).text


@pytest.mark.parametrize("suffix", [".mht", ".mhtml"])
def test_a_page_that_a_browser_saved_as_a_message_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"page{suffix}"
    path.write_bytes(
        b"From: <Saved by a browser>\r\nSubject: =?utf-8?q?F=C3=A4hre?=\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"<p>The fer=\r\nry leaves.</p><p style=3D'display:none'>Not this.</p>\r\n--b--\r\n"
    )
    (source,) = load(path)
    assert source.title == "F\u00e4hre"
    assert source.text.endswith("\n\nThe ferry leaves.")


def test_a_mailbox_is_named_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.mbox"
    path.write_text(
        "From a@x Mon Mar  2 10:00:00 2026\nSubject: =?utf-8?q?F=C3=A4hre?=\n\nSeven.\n"
    )
    with pytest.raises(LoadError, match=r"mailbox.*save each of its messages as \.eml"):
        list(load(path))
    skipped: list[Skipped] = []
    assert list(load(tmp_path, skipped=skipped)) == []
    assert "mailbox" in skipped[0].reason


def test_what_is_no_message_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="is no e-mail message: it has no Subject"):
        read(tmp_path, b"only words\n")


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.sampled_from(["", "multipart/mixed; boundary=b", "text/html"]))
def test_any_bytes_are_read_or_refused(content: bytes, kind: str) -> None:
    raw = b"Subject: a\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + content
    for message in (content, raw, raw + b"\r\n--b\r\n" + content):
        try:
            parsed = parse_mail(message, "message", ReadLimits())
        except LoadError:
            continue
        assert parsed.text.startswith(("Subject", "From", "To", "Cc", "Date"))
