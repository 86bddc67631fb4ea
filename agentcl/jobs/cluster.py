"""`Ray`: the steps of long work are done by the machines of a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, islice
from pickle import PicklingError
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

from agentcl.errors import ClusterUnavailable, InvalidInput, MissingExtra
from agentcl.jobs.crew import Foreman, pack, unpack
from agentcl.jobs.loop import OrLater, work_in

T = TypeVar("T")
R = TypeVar("R")

_NAMESPACE: Final = "agentcl"
_ANSWERS_S: Final = 10.0  # how long an address may take to take a connection
_MANY: Final = 1_000  # questions to the foreman at once: they only wait for hands
_TRIES: Final = 5  # to join a cluster whose machine is slow, or to find, or hire, a foreman
_PAUSE_S: Final = 1.0  # between two of them
_MOST_SAID: Final = 500  # characters of what Ray says
_SAY: Final = "ray or ray://HOST:PORT, with ?workers=2&num_cpus=1&num_gpus=1 behind it if you like"
_NUMBERS: Final[Mapping[str, Callable[[str], float]]] = {
    "workers": int,
    "num_cpus": float,
    "num_gpus": float,
}


class Ray:
    """A `Workplace`: workers on a Ray cluster, each with a copy of the model, the encoder or the codec.

    The workers compute and never open the memory; this process stores what they answer, as it comes. If it is killed, the
    cluster holds the answers for a quarter of an hour, and the same call takes them over.

    Args:
        address: "ray://HOST:PORT" of a cluster's client server, or any other address that `ray.init` takes. Default: the
            variable RAY_ADDRESS, or the cluster that runs on this machine, or a new one that ends with the work. A program
            that has called `ray.init` stays with its cluster.
        workers: how many; default: one for each GPU that is used, or else for each CPU.
        num_cpus: of each worker.
        num_gpus: of each worker. Default: 1 where the cluster has GPUs and the work is arithmetic (`reembed`, `compress`),
            else none.

    Raises:
        MissingExtra: if Ray is not installed.
        InvalidInput: if a number cannot be.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        num_cpus: float = 1,
        num_gpus: float | None = None,
    ) -> None:
        if find_spec("ray") is None:
            raise MissingExtra("work on a Ray cluster", "ray")
        if workers is not None and workers < 1:
            raise InvalidInput(f"workers must be at least 1, and is {workers}")
        for name, number in (("num_cpus", num_cpus), ("num_gpus", num_gpus)):
            if number is not None and not 0 <= number < float("inf"):
                raise InvalidInput(f"{name} must be a number from 0 on, and is {number}")
        self.address = address
        self._workers = workers
        self._num_cpus = num_cpus
        self._num_gpus = num_gpus

    @classmethod
    def named(cls, name: str) -> Ray:
        """Return what a name means: "ray", "ray://HOST:PORT", and perhaps numbers behind it, "?workers=2&num_gpus=0.5".

        Raises:
            MissingExtra: if Ray is not installed.
            InvalidInput: if the name means nothing.
        """
        where, _, told = name.partition("?")
        parts = urlsplit(where)
        given = dict(parse_qsl(told, keep_blank_values=True))
        is_address = parts.scheme == "ray" and bool(parts.hostname)
        if not (where == "ray" or is_address) or not given.keys() <= _NUMBERS.keys():
            raise InvalidInput(f"nobody knows how to work on {name!r}; say {_SAY}")
        try:
            options: dict[str, Any] = {key: _NUMBERS[key](value) for key, value in given.items()}
        except ValueError as error:
            raise InvalidInput(f"{name!r}: {error}; say {_SAY}") from error
        return cls(where if is_address else None, **options)

    def work(
        self,
        items: Iterable[T | OrLater],
        do: Callable[[T], R],
        *,
        keep: Callable[[Sequence[R]], None],
        job: str,
        key: Callable[[T], str],
        workers: int = 1,
        computes: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
        on_stop: Callable[[], None] = lambda: None,
        tick: Callable[[], None] = lambda: None,
        tick_s: float | None = None,
    ) -> bool:
        """Do every item on the cluster, and keep each result as soon as it is there; see `Workplace`.

        A worker that dies is replaced, and what it had at hand is given to another one. `on_stop`, `tick` and `tick_s` are
        those of `work_in`.

        Raises:
            ClusterUnavailable: if the cluster does not answer, or three workers die with the same item.
            InvalidInput: if the cluster has no room for the workers, or `do` cannot be sent there.
            NotEquipped: if the machines of the cluster lack what `do` needs.
        """
        try:
            packed = pack(do)
        except (TypeError, AttributeError, OSError, PicklingError) as error:
            raise InvalidInput(
                f"{do!r} cannot be sent to other machines ({error}): it must be possible to pickle what reads, "
                "encodes or compresses"
            ) from error
        coming = iter(items)
        some = [*islice(coming, 1)]
        if not some:
            return True
        with self._connected() as ray:
            options, hands = self._room(ray.cluster_resources(), computes=computes)
            crew = _Crew(ray, job, key)
            crew.begin(packed, version("agentcl"), hands=hands, at_once=workers, options=options)

            def keep_all(results: Sequence[tuple[str, R]]) -> None:
                keep([result for _, result in results])
                crew.kept([name for name, _ in results])

            # What is paid for is kept before the next is asked; arithmetic may be done ahead.
            ahead = hands * workers * (2 if computes else 1)
            try:
                return work_in(
                    crew,
                    chain(some, coming),
                    cast(Callable[[T], tuple[str, R]], do),  # with the key beside what comes of it
                    keep=keep_all,
                    ahead=ahead,
                    should_stop=should_stop,
                    on_stop=on_stop,
                    tick=tick,
                    tick_s=tick_s,
                )
            finally:
                crew.end()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import ray

        if ray.is_initialized():  # by who called us: it is theirs
            yield ray
            return
        _check_answers(self.address or os.environ.get("RAY_ADDRESS", ""))
        # Nothing of what is done here is told to anybody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._join(ray)
        try:
            yield ray
        finally:
            ray.shutdown()

    def _join(self, ray: Any) -> None:  # noqa: ANN401  # a module without types
        """Join the cluster. Raises ClusterUnavailable."""
        given = {"address": self.address} if self.address else {}
        for left in reversed(range(_TRIES)):
            try:
                ray.init(
                    **given, namespace=_NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
                )
                return
            except (OSError, RuntimeError, ValueError) as error:
                # The client server begins a process for each client, and gives up where that takes half a minute.
                if left and "Starting Ray client server failed" in str(error):
                    continue
                where = self.address or "on this machine"
                raise ClusterUnavailable(
                    f"cannot join the Ray cluster {where}: {error}. Begin one with `ray start --head`; if it wants a token, "
                    "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
                ) from error

    def _room(self, has: Mapping[str, float], *, computes: bool) -> tuple[dict[str, float], int]:
        """Return what each worker takes, and how many there are. Raises InvalidInput."""
        gpus = self._num_gpus
        if gpus is None:
            gpus = 1.0 if computes and has.get("GPU", 0) >= 1 else 0.0
        takes = {"CPU": float(self._num_cpus), "GPU": float(gpus)}
        room = {name: int(has.get(name, 0) / each) for name, each in takes.items() if each}
        most = min(room.values(), default=1)
        hands = self._workers or most
        if (hands > most and room) or not hands:
            wanted = " and ".join(f"{each:g} {name}" for name, each in takes.items() if each)
            there = " and ".join(f"{has.get(name, 0):g} {name}" for name in room)
            raise InvalidInput(
                f"{max(hands, 1)} workers with {wanted} each were asked for, and the cluster has {there}; take fewer "
                "workers, or start more machines"
            )
        return {"num_cpus": takes["CPU"], "num_gpus": takes["GPU"]}, hands


class _Crew(Executor):
    """The foreman of a job as an executor. It answers with the key of an item, and what came of it.

    Args:
        ray: the module.
        job: whose foreman; one that a process that was killed has left is taken over, with what he holds.
        key: names an item.
    """

    def __init__(self, ray: Any, job: str, key: Callable[[Any], str]) -> None:  # noqa: ANN401  # a module without types
        self._ray = ray
        self._key = key
        self._out: set[str] = set()  # what was asked for, and not stored yet
        self._foreman: Any = None
        self._job = job

    def begin(self, do: bytes, made_by: str, **given: Any) -> None:  # noqa: ANN401
        """Hire hands; see `Foreman.begin`. Raises ClusterUnavailable."""
        named = self._ray.remote(Foreman).options(
            name=self._job,
            namespace=_NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_concurrency=_MANY,
        )
        for left in reversed(range(_TRIES)):
            self._foreman = named.remote()
            try:
                self._ray.get(self._foreman.begin.remote(do, made_by, **given))
            except self._ray.exceptions.RayError as error:
                # The foreman of the run before may just be on his way home.
                if not left or not isinstance(error, self._ray.exceptions.RayActorError):
                    raise _lost(error) from error
                time.sleep(_PAUSE_S)
            else:
                return

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Have the one item that is given done by the hands, who know the function."""
        (item,) = args
        name = self._key(item)
        self._out.add(name)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # it is paid for, so nobody may drop it

        def told(answer: Future[Any]) -> None:
            error = answer.exception()
            if error is not None:
                future.set_exception(_lost(error))
                return
            is_done, packed = answer.result()
            if not is_done:
                self._out.discard(name)
            _settle(future, name, is_done=is_done, packed=packed)

        self._foreman.do.remote(name, pack(item)).future().add_done_callback(told)
        return future

    def kept(self, names: Sequence[str]) -> None:
        """Tell the foreman what was stored."""
        self._out.difference_update(names)
        self._foreman.kept.remote([*names])

    def end(self) -> None:
        """Send everybody home, unless they hold what was not stored: the next run takes that over."""
        if not self._out:
            self._ray.kill(self._foreman)


def _settle(future: Future[Any], name: str, *, is_done: bool, packed: bytes) -> None:
    try:
        came = unpack(packed)
    except Exception as error:  # noqa: BLE001  # a class that only the worker can import
        future.set_exception(error)
        return
    if is_done:
        future.set_result((name, came))
    else:
        future.set_exception(came)


def _lost(error: BaseException) -> ClusterUnavailable:
    said = " ".join(str(error).split())[:_MOST_SAID]
    return ClusterUnavailable(
        f"the Ray cluster was lost ({type(error).__name__}: {said}); what was done until then is kept. Run it again when "
        "the cluster is there, or without it: it goes on where it was"
    )


def _check_answers(address: str) -> None:
    """Raise ClusterUnavailable if nobody listens at an address: Ray itself would wait for a minute, or end the process."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if not parts.hostname or not parts.port:  # e.g. "auto"
        return
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=_ANSWERS_S).close()
    except OSError as error:
        raise ClusterUnavailable(
            f"no Ray cluster answers at {address}: {error}. Begin one with `ray start --head`; ray://HOST:10001 is its "
            "client server"
        ) from error
