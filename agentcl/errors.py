"""Every error that agentcl raises on purpose, under one base.

AgentclError
├── InvalidInput          a value that cannot be stored or searched, and why
├── NotFound              no record with that id is visible from that scope
├── VersionConflict       a record is not at the version that the caller has seen
├── Duplicate             the same thing is stored already, where that was not to be
├── MissingExtra          an optional part is not installed; names the install line
├── NotEquipped           this process lacks what a job needs, e.g. its extractor; another may have it
├── ConfigError           a setting that cannot be used, and where it came from
│   └── NotTrusted        a folder or a file names what you have not confirmed; nothing was asked or loaded
├── EncoderMismatch       the memory was embedded with another encoder or dimension
├── LoadError             a file that cannot be read as documents
├── TransferError         an export that cannot be imported
├── MemoryClosed          a verb on a memory after `close()`
├── AccessDenied          a server's key is missing or unknown, or does not open what was asked for
├── ServerUnavailable     a server of a memory cannot be reached, or failed; names its address
├── ClusterUnavailable    a Ray cluster does not answer, was lost, or its workers keep dying
├── ModelUnavailable      a language model cannot be asked; names the endpoint and the remedy
│   └── RequestRefused    it can, but it refuses this request
├── ModelChanged          a frozen model is not the one that it was
├── EnvironmentFailed     an environment that agents are tested in broke; its episode has no score
├── BaselineFailed        a way of remembering that a benchmark compares broke, or does not answer
├── MissingPeer           one that ours is compared with is not installed; says how to install it
├── ProcessFailed         a program that runs beside this one did not start
├── NoAnswer              a model only thought, or was cut off before it came to its answer
├── SchemaViolation       a model's answer broke its schema, and so did its second one
└── StoreUnavailable      the journal cannot be read or written now
    ├── EncoderUnavailable  what turns text into vectors does not answer, or refuses a text
    ├── StoreBusy         another process held the write turn for too long
    ├── StorageFull       the disk (or its quota) is full
    ├── StoreReadOnly     the folder cannot be written
    ├── StoreCorrupt      bytes on disk are not what was written
    ├── SchemaTooNew      a newer agentcl wrote this folder
    └── EraseIncomplete   records are gone, but their bytes could not be cleared yet
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class AgentclError(Exception):
    """Base of every error raised by agentcl."""


class InvalidInput(AgentclError, ValueError):
    """A value that cannot be stored or searched; nothing was changed."""


class NotFound(AgentclError, LookupError):
    """No record with that id is visible from the given scope."""


class VersionConflict(AgentclError):
    """A record has another version than the caller has seen; nothing was changed."""


class Duplicate(AgentclError):
    """The same thing is stored already in that scope; nothing was changed."""


class NotEquipped(AgentclError):
    """A job needs something that this process was not given; the job waits for one that has it."""


class ConfigError(AgentclError):
    """A setting that cannot be used."""


class NotTrusted(ConfigError):
    """What is stored somewhere names an address, a model or a path that the user has not confirmed."""


class EncoderMismatch(AgentclError):
    """The memory holds vectors of another encoder or dimension."""


class LoadError(AgentclError):
    """A file or folder that cannot be read as documents."""


class TransferError(AgentclError):
    """An export that cannot be imported; nothing was imported."""


class MemoryClosed(AgentclError):
    """A verb was called after `close()`."""


class AccessDenied(AgentclError):
    """A server asks for a key, or this one does not open what was asked for."""


class ServerUnavailable(AgentclError):
    """A server of a memory cannot be reached, takes too long, or failed."""


class ModelUnavailable(AgentclError):
    """A language model cannot be asked, or did not answer."""


class RequestRefused(ModelUnavailable):
    """The endpoint answers, but not this request; e.g. it is longer than the model can read."""


class ClusterUnavailable(AgentclError):
    """The machines that long work was given to do not answer; what was done until then is kept."""


class ModelChanged(AgentclError):
    """A model that had to stay frozen has other weights, another vocabulary or another template."""


class EnvironmentFailed(AgentclError):
    """An environment broke: it raised, hung, or gave what none may give. Such an episode has no score."""


class BaselineFailed(AgentclError):
    """A way of remembering that a benchmark compares broke, or stopped answering."""


class MissingPeer(AgentclError, ImportError):
    """A program that agentcl is compared with is not installed where it was looked for."""


class ProcessFailed(AgentclError):
    """A program that was to run beside this one did not start, or ended before it was ready."""


class NoAnswer(AgentclError):
    """A model came to no answer, asked twice: it only thought, or was cut off."""


class SchemaViolation(AgentclError):
    """A model's answer broke its schema, and the repaired one too."""


class StoreUnavailable(AgentclError):
    """The journal cannot be read or written now; nothing acknowledged is lost."""


class EncoderUnavailable(StoreUnavailable):
    """The service behind an encoder does not answer, or refuses a text; nothing was stored."""


class StoreBusy(StoreUnavailable):
    """Another process held the write turn for longer than `busy_timeout_s`."""


class StorageFull(StoreUnavailable):
    """The disk is full; the write was rolled back."""


class StoreReadOnly(StoreUnavailable):
    """The folder or its files cannot be written."""


class StoreCorrupt(StoreUnavailable):
    """Bytes on disk are not what was written."""


class SchemaTooNew(StoreUnavailable):
    """The folder was written by a newer agentcl."""


class EraseIncomplete(StoreUnavailable):
    """The records are gone, but their bytes could not be cleared from every file yet."""


class MissingExtra(AgentclError, ImportError):
    """An optional part is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional part: pip install 'agentcl[{extra}]'")
        self.feature = feature
        self.extra = extra


@contextmanager
def needs(feature: str, extra: str) -> Iterator[None]:
    """Import what an optional part brings. Raises MissingExtra if it is not installed."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(feature, extra) from error
