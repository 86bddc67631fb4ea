"""The alert and incident rows of ExCyTIn-Bench, and their entities as a table of evidence."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from agentcl.envs.domains.excytin.sql import SqlTable
from agentcl.errors import LoadError
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import unread

# What the JSON of an entity calls its parts, by its type, and their columns here where these are called
# otherwise. Names follow those of Microsoft's AlertEvidence where it has the same; the rest is kept in
# AdditionalFields.
_TABLE: Final = """
account: Name=AccountName AccountName DisplayName=AccountDisplayName NTDomain=AccountDomain UPNSuffix=AccountDomain Sid=AccountSid AadUserId UserPrincipalName=AccountUpn
host: HostName FQDN=HostFqdn DnsDomain=HostDomain AadDeviceId MdatpDeviceId=DeviceId LastIpAddress LastExternalIpAddress
ip: Address=IpAddress
url: Url
process: ProcessId CommandLine=ProcessCommandLine CreationTimeUtc=ProcessCreationTime
file: Name=FileName Directory=FolderPath
filehash: Algorithm=HashAlgorithm Value=HashValue
registry-key: Hive=RegistryHive Key=RegistryKey
registry-value: Name=RegistryValueName Value=RegistryValueData
mailMessage: Sender=EmailSender Recipient=EmailRecipient Subject=EmailSubject NetworkMessageId SenderIP=EmailSenderIp
mailbox: MailboxPrimaryAddress=MailboxAddress DisplayName=AccountDisplayName Upn=AccountUpn AadId=AadUserId
cloud-application: Name=ApplicationName AppId=ApplicationId
cloud-logon-session: SessionId UserAgent
cloud-logon-request: RequestId
azure-resource: ResourceId ResourceName
"""


def _read(row: str) -> tuple[str, dict[str, str]]:
    kind, _, named = row.partition(": ")
    pairs = (one.partition("=") for one in named.split())
    return kind, {name: column or name for name, _, column in pairs}


_PARTS: Final[Mapping[str, Mapping[str, str]]] = dict(map(_read, _TABLE.strip().splitlines()))
EVIDENCE_COLUMNS: Final = (
    "SystemAlertId",
    "EntityType",
    *dict.fromkeys(column for parts in _PARTS.values() for column in parts.values()),
    "AdditionalFields",
)
_ALERT_COLUMNS: Final = ("SystemAlertId", "AlertName", "Description", "Entities")
_INCIDENT_COLUMNS: Final = ("IncidentNumber", "Title", "AlertIds")


def load_tables(folder: Path, incident: str) -> list[SqlTable]:
    """Return SecurityAlert, SecurityIncident and AlertEvidence of one incident.

    Raises:
        LoadError: if a file is absent, truncated, or of another schema; the message names it.
    """
    alerts = _table(folder / f"{incident}_SecurityAlert.jsonl.gz", "SecurityAlert", _ALERT_COLUMNS)
    incidents = _table(
        folder / f"{incident}_SecurityIncident.jsonl.gz", "SecurityIncident", _INCIDENT_COLUMNS
    )
    return [alerts, incidents, evidence_of(alerts)]


def read_gzip(path: Path) -> str:
    """Return the text of a gzip'd file.

    Raises:
        LoadError: if it is absent, truncated, or no gzip'd text.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError as error:
        raise LoadError(f"{path} is absent; the data folder is not complete") from error
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise LoadError(f"{path} cannot be read ({unread(error)}); copy it again") from error


def evidence_of(alerts: SqlTable) -> SqlTable:
    """Return a row for each entity of each alert, nested ones and their references resolved.

    Raises:
        LoadError: if an alert's entities are no JSON list.
    """
    identity = alerts.columns.index("SystemAlertId")
    entities = alerts.columns.index("Entities")
    rows = []
    for row in alerts.rows:
        for entity in _entities(row[entities], row[identity]):
            cells = {"SystemAlertId": row[identity], **_cells(entity)}
            rows.append(tuple(cells.get(column, "") for column in EVIDENCE_COLUMNS))
    return SqlTable("AlertEvidence", EVIDENCE_COLUMNS, tuple(rows))


def _table(path: Path, name: str, needed: tuple[str, ...]) -> SqlTable:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(read_gzip(path).splitlines(), 1):
        try:
            row = parsed_json(line)
        except ValueError as error:
            raise LoadError(f"line {number} of {path} is no JSON: {error}") from error
        missing = [c for c in needed if c not in row] if isinstance(row, dict) else [*needed]
        if missing or (rows and row.keys() != rows[0].keys()):
            raise LoadError(
                f"line {number} of {path} has another schema: {name} needs {', '.join(needed)}, "
                "and the same columns in each row"
            )
        rows.append(row)
    if not rows:
        raise LoadError(f"{path} has no row")
    columns = tuple(rows[0])
    if not all(column.isidentifier() for column in columns):
        raise LoadError(f"{path} has a column whose name is none")
    return SqlTable(name, columns, tuple(tuple(_text(row[c]) for c in columns) for row in rows))


def _entities(text: str, alert: str) -> Iterator[dict[str, Any]]:
    try:
        found = parsed_json(text or "[]")
    except ValueError as error:
        raise LoadError(f"the entities of alert {alert} are no JSON: {error}") from error
    if not isinstance(found, list):
        raise LoadError(f"the entities of alert {alert} are no list")
    known = {str(part["$id"]): part for part in _nested(found) if "$id" in part}
    for part in _nested(found):
        if "Type" in part:
            yield {
                key: known.get(str(value["$ref"]), {})
                if isinstance(value, dict) and "$ref" in value
                else value
                for key, value in part.items()
            }


def _nested(value: object) -> Iterator[dict[str, Any]]:
    """Yield all objects within a JSON value, the outer ones first; a reference is none of its own."""
    if isinstance(value, dict):
        if "$ref" not in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _nested(part)


def _cells(entity: dict[str, Any]) -> dict[str, str]:
    kind = str(entity["Type"])
    parts = _PARTS.get(kind, {})
    cells = {"EntityType": kind}
    for key, column in parts.items():
        if entity.get(key) and not isinstance(entity[key], dict):
            cells.setdefault(column, _text(entity[key]))
    image = entity.get("ImageFile")
    if kind == "process" and isinstance(image, dict):  # a process is known by the file that it runs
        cells["FileName"] = _text(image.get("Name"))
        cells["FolderPath"] = _text(image.get("Directory"))
    rest = {
        key: value
        for key, value in entity.items()
        if key not in parts and key not in ("$id", "Type") and isinstance(value, str | int | float)
    }
    cells["AdditionalFields"] = json.dumps(rest, ensure_ascii=False) if rest else ""
    return cells


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
