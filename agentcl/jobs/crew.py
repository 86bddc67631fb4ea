"""What runs on a Ray cluster: a foreman who hands out items, and the hands that do them.

The foreman outlives who asks. What a hand answers is held by the foreman until it was stored, so that a process that
is killed finds the answers when it comes back, and nothing is asked twice. Neither opens a memory.
"""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from agentcl.errors import AgentclError, ClusterUnavailable, NotEquipped

MOST_DEATHS: Final = 3  # of those that had one item at hand
_LOOK_S: Final = 10.0  # between two looks at whether somebody still asks
# A driver that was killed is started again by a person, or by what watches it.
ABANDONED_S: Final = 900.0
_MOST_SAID: Final = 500  # characters of what Ray says of a death

_LOCKS: Final[Mapping[type, Callable[[], object]]] = {
    type(make()): make for make in (threading.Lock, threading.RLock)
}
Outcome = tuple[bool, bytes]  # whether it was done; what came of it, or the error, pickled


def pack(value: object) -> bytes:
    """Return a value as bytes. Functions go by value, and a lock becomes a new one.

    Raises:
        TypeError: (or PicklingError) if it holds something that cannot travel, e.g. an open file.
    """
    from ray import cloudpickle

    class Packing(cloudpickle.CloudPickler):  # type: ignore[misc]  # of Ray, which carries no types here
        def reducer_override(self, one: object) -> Any:  # noqa: ANN401  # what pickle takes
            # A lock guards what one process holds: a copy elsewhere begins with a free one.
            return (_LOCKS[type(one)], ()) if type(one) in _LOCKS else super().reducer_override(one)

    packed = io.BytesIO()
    Packing(packed).dump(value)
    return packed.getvalue()


def unpack(packed: bytes) -> Any:  # noqa: ANN401  # whatever was packed
    """Return what was packed; the bytes are those of our own cluster."""
    return pickle.loads(packed)


class Hand:
    """Does items, several at a time if it is told to.

    Args:
        do: the function, packed.
        made_by: the version of agentcl that packed it.
    """

    def __init__(self, do: bytes, made_by: str) -> None:
        self._packed = do
        self._made_by = made_by
        self._lock = threading.Lock()
        self._do: Any = None

    def do(self, item: bytes) -> Outcome:
        """Do one item; what is wrong with it goes back to who asked."""
        try:
            with self._lock:
                self._do = self._do or self._opened()
            done = self._do(unpack(item))
        except Exception as error:  # noqa: BLE001  # it is raised where the item came from
            return False, _packed_error(error)
        return True, pack(done)

    def is_there(self) -> bool:
        """Return True, once it can be asked."""
        return True

    def _opened(self) -> Any:  # noqa: ANN401  # a function
        """Return the function. Raises NotEquipped if this machine lacks what it needs."""
        here = socket.gethostname()
        if (own := version("agentcl")) != self._made_by:
            raise NotEquipped(
                f"the worker on {here} has agentcl {own}, and this process {self._made_by}: install the same version "
                "on every machine of the cluster"
            )
        try:
            return unpack(self._packed)
        except AgentclError:
            raise
        except Exception as error:
            raise NotEquipped(
                f"the worker on {here} cannot load what it is to do ({type(error).__name__}: {error}): install there what "
                "is imported here, or hand it over with `runtime_env` of `ray.init`"
            ) from error


def _packed_error(error: Exception) -> bytes:
    try:
        packed = pack(error)
        unpack(packed)
    except Exception:  # noqa: BLE001  # an error of somebody's own, of which only the words can travel
        return pack(AgentclError(f"{type(error).__name__}: {error}"))
    return packed


@dataclass(slots=True, eq=False)
class _Seat:
    """Where a hand sits; a new one takes the place of one that died."""

    hand: Any


class Foreman:
    """Hands out items, and holds what came of each until it was stored. `begin` comes first, and again with each driver."""

    def __init__(self) -> None:
        import ray

        self._ray = ray
        self._do: Any = None  # Ray's handle of the packed function
        self._made_by = ""
        self._options: Mapping[str, float] = {}
        self._seats: list[_Seat] = []
        self._free: asyncio.Queue[_Seat] = asyncio.Queue()
        self._asked: dict[str, asyncio.Task[Outcome]] = {}
        self._replacing: set[asyncio.Task[None]] = set()
        self._called_at = time.monotonic()
        self._watching: asyncio.Task[None] | None = None

    async def begin(
        self, do: bytes, made_by: str, *, hands: int, at_once: int, options: Mapping[str, float]
    ) -> None:
        """Hire hands. What those before them have at hand is waited for, and held as what they did.

        Args:
            do: the function, packed.
            made_by: the version of agentcl that packed it.
            hands: how many do items.
            at_once: how many items one of them does at a time.
            options: of each hand, as Ray takes them: `num_cpus`, `num_gpus`.
        """
        self._called()
        for key, task in [*self._asked.items()]:
            is_done, _ = await asyncio.shield(task)
            if not is_done:  # it is tried again
                del self._asked[key]
        for seat in self._seats:
            self._ray.kill(seat.hand)
        self._do, self._made_by = self._ray.put(do), made_by
        self._options = {**options, "max_concurrency": at_once}
        self._seats = [_Seat(self._hired()) for _ in range(hands)]
        self._free = asyncio.Queue()
        for _ in range(at_once):
            for seat in self._seats:
                self._free.put_nowait(seat)

    async def do(self, key: str, item: bytes) -> Outcome:
        """Have an item done by the next free hand; one that was asked for already is not done again."""
        self._called()
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._done(key, item))
        # It goes on when who asks dies.
        return await asyncio.shield(self._asked[key])

    async def kept(self, keys: Collection[str]) -> None:
        """Let go of what was stored."""
        self._called()
        for key in keys:
            self._asked.pop(key, None)

    def _called(self) -> None:
        self._called_at = time.monotonic()
        self._watching = self._watching or asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """End, and all hands with it, when nobody has asked for long."""
        while any(not task.done() for task in self._asked.values()) or (
            time.monotonic() - self._called_at < ABANDONED_S
        ):
            await asyncio.sleep(_LOOK_S)
        os._exit(0)

    async def _done(self, key: str, item: bytes) -> Outcome:
        from ray.exceptions import RayActorError

        free = self._free
        for _ in range(MOST_DEATHS):
            seat = await free.get()
            hand, is_back = seat.hand, True
            try:
                done: Outcome = await hand.do.remote(item)
            except RayActorError as error:
                why, is_back = " ".join(str(error).split()), False
                # There may be no room for another one, so nobody waits for that at this seat.
                replacing = asyncio.create_task(self._replace(seat, hand, free))
                self._replacing.add(replacing)
                replacing.add_done_callback(self._replacing.discard)
            else:
                return done
            finally:
                if is_back:
                    free.put_nowait(seat)
        return False, pack(
            ClusterUnavailable(
                f"{MOST_DEATHS} workers died one after the other while they had {key} at hand, so it was given up; what "
                f"was done is kept. Is there enough memory for what they load? Ray says: {why[:_MOST_SAID]}"
            )
        )

    async def _replace(self, seat: _Seat, dead: Any, free: asyncio.Queue[_Seat]) -> None:  # noqa: ANN401
        """Set a new hand on the seat of one that died, and hand out items to it once it is there."""
        from ray.exceptions import RayActorError

        for _ in range(MOST_DEATHS):
            if seat.hand is dead:  # several items may have been with it
                self._ray.kill(dead)
                seat.hand = self._hired()
            hired = seat.hand
            try:
                await hired.is_there.remote()
                break
            except RayActorError:  # who takes this seat is told why
                dead = hired
        free.put_nowait(seat)

    def _hired(self) -> Any:  # noqa: ANN401  # Ray's handle
        hired = self._ray.remote(**self._options)(Hand)
        return hired.remote(self._do, self._made_by)
