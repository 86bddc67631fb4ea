"""Incidents that are made up: for tests, and for whoever has no data.

Many tenants use the same products, and so the same tables, whose columns have names that tell nothing
(`Custom1`, ...), as vendors' extension fields do. A landscape decides for all its tenants which column
holds which kind of entity, which columns hold something else that looks alike, and which kinds of entity
one alert of an attack shares with the next. None of this can be known at first; all of it can be known
after a few investigations, whatever the tenant. An attack is a chain of three alerts; titles of alerts
come twice in a tenant, so only the way along the shared entities tells which one is meant.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from agentcl.envs.base import Determinism, Split, Task
from agentcl.envs.domains.excytin.cases import MAX_STEPS, Case
from agentcl.envs.domains.excytin.sql import SqlBackend, SqliteBackend, SqlTable, image_of
from agentcl.envs.names import Names
from agentcl.errors import InvalidInput

NAME: Final = "incident-logs"
FAMILIES: Final = ("one-hop", "two-hops", "three-hops")
KINDS: Final = ("host name", "account name", "IP address", "URL", "file name", "command line")
TABLES: Final = ("DeviceLog", "NetworkLog", "AuditLog")
CUSTOM: Final = tuple(f"Custom{number}" for number in range(1, 6))
ATTACKS: Final = 4  # in a tenant
STAGES: Final = 3  # alerts of an attack
_LINKING: Final = ("host name", "account name", "IP address")
_POOL: Final = 3  # values that a tenant has in a column that only looks right
_TABLE: Final = """
Suspicious sign-in from an unusual place; Malicious link was opened; Password spray attempt; Unexpected remote session
Credential theft tool was run; Suspicious service was registered; Lateral movement by a remote command; Process injection was seen
Backups were deleted; Files were encrypted; Large upload to an unknown site; Mailbox rule forwards all mail
"""
_TITLES: Final = [line.split("; ") for line in _TABLE.strip().splitlines()]  # by stage
_TENANTS: Final[Mapping[Split, range]] = {
    "train": range(40),
    "dev": range(40, 50),
    "test": range(50, 70),
}

Column = tuple[str, str]  # table and column


@dataclass(frozen=True, slots=True)
class Landscape:
    """What all tenants have in common."""

    true: Mapping[str, Column]  # by kind
    alike: Mapping[Column, str]  # which kind a column looks like that holds something else
    links: tuple[str, ...]  # which kind of entity an alert shares with the next one, by stage


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert with the entities that it is about."""

    id: str
    title: str
    time: str
    entities: Mapping[str, str]  # by kind


@dataclass(frozen=True, slots=True)
class Tenant:
    """The attacks on one tenant, its tables, and its questions by family and attack."""

    attacks: tuple[tuple[Alert, ...], ...]
    tables: tuple[SqlTable, ...]
    questions: Mapping[tuple[str, int], Case]


@cache
def make_landscape(seed: int) -> Landscape:
    """Return a landscape: 6 columns that hold one kind each, and 9 that look like one of them."""
    rng = random.Random(f"{NAME}:landscape:{seed}")
    places = [(table, column) for table in TABLES for column in CUSTOM]
    rng.shuffle(places)
    true = dict(zip(KINDS, places, strict=False))
    rest = places[len(KINDS) :]
    alike = dict(zip(rest, [*KINDS, *rng.sample(KINDS, len(rest) - len(KINDS))], strict=True))
    return Landscape(true, alike, tuple(rng.sample(_LINKING, STAGES - 1)))


@cache
def make_tenant(seed: int, number: int) -> Tenant:
    """Return one tenant of a landscape."""
    landscape = make_landscape(seed)
    rng = random.Random(f"{NAME}:tenant:{seed}:{number}")
    names = Names(rng)
    titles = [rng.sample(of_stage, ATTACKS // 2) * 2 for of_stage in _TITLES]
    for of_stage in titles:
        rng.shuffle(of_stage)
    attacks = tuple(
        _attack([of_stage[n] for of_stage in titles], landscape, rng, names) for n in range(ATTACKS)
    )
    alerts = [alert for attack in attacks for alert in attack]
    questions = {
        (family, n): _question(attack, hops, landscape, rng)
        for n, attack in enumerate(attacks)
        for hops, family in enumerate(FAMILIES)
    }
    return Tenant(attacks, tuple(_tables(alerts, landscape, rng, names)), questions)


class GeneratedIncidents:
    """The questions of all tenants of a landscape, drawn by its seed: 12 for each, from one hop to three."""

    name = NAME
    families: Sequence[str] = FAMILIES
    determinism: Determinism = "bitwise"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._image = cache(lambda number: image_of(make_tenant(seed, number).tables))

    def tasks(self, split: Split, family: str) -> Iterator[Task]:
        """Yield the questions of a split's tenants, tenant by tenant."""
        for tenant in _TENANTS[split]:
            for attack in range(ATTACKS):
                of = {"landscape": self._seed, "tenant": tenant}
                yield Task(NAME, family, attack, split, MAX_STEPS, of)

    def question(self, task: Task) -> Case:
        """Return a task's question."""
        known = make_tenant(self._seed, self._tenant_of(task)).questions
        if (task.family, task.variation) not in known:
            raise InvalidInput(f"{task.id} is no task of {NAME}: a tenant has {ATTACKS} attacks")
        return known[task.family, task.variation]

    def open(self, task: Task) -> SqlBackend:
        """Open a tenant's database."""
        return SqliteBackend(self._image(self._tenant_of(task)))

    def _tenant_of(self, task: Task) -> int:
        number = task.parameters.get("tenant")
        is_known = task.env == NAME and task.parameters.get("landscape") == self._seed
        if not is_known or not isinstance(number, int) or number < 0:
            raise InvalidInput(f"{task.id} is no task of {NAME} with the landscape {self._seed}")
        return number


def _attack(
    titles: Sequence[str], landscape: Landscape, rng: random.Random, names: Names
) -> tuple[Alert, ...]:
    alerts: list[Alert] = []
    day = rng.randint(1, 28)
    for stage, title in enumerate(titles):
        entities = {kind: _value(kind, rng, names) for kind in KINDS}
        if alerts:
            shared = landscape.links[stage - 1]
            entities[shared] = alerts[-1].entities[shared]
        time = f"2024-05-{day:02}T{8 + 4 * stage:02}:{rng.randrange(60):02}:00Z"
        identity = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        alerts.append(Alert(identity, title, time, entities))
    return tuple(alerts)


def _value(kind: str, rng: random.Random, names: Names) -> str:
    name = names.fresh().lower()
    if kind == "host name":
        return f"{name}-ws{rng.randint(10, 99)}"
    if kind == "account name":
        return f"{rng.choice('abcdefgh')}.{name}"
    if kind == "IP address":
        return ".".join(str(rng.randint(11, 250)) for _ in range(4))
    if kind == "URL":
        return f"https://{name}.example/{rng.randint(100, 999)}"
    program = f"{name}.{rng.choice(('exe', 'dll', 'ps1'))}"
    return program if kind == "file name" else f"{program} /run {rng.randint(100, 999)}"


def _tables(
    alerts: Sequence[Alert], landscape: Landscape, rng: random.Random, names: Names
) -> Iterator[SqlTable]:
    listed = sorted(alerts, key=lambda alert: (alert.time, alert.id))
    yield SqlTable(
        "SecurityAlert",
        ("SystemAlertId", "TimeGenerated", "AlertName"),
        tuple((alert.id, alert.time, alert.title) for alert in listed),
    )
    kind_at = {place: kind for kind, place in landscape.true.items()}
    for table in TABLES:
        pools = {
            column: [_value(landscape.alike[table, column], rng, names) for _ in range(_POOL)]
            for column in CUSTOM
            if (table, column) in landscape.alike
        }
        rows = [
            (
                alert.id,
                alert.time,
                *(
                    rng.choice(pools[column])
                    if column in pools
                    else alert.entities[kind_at[table, column]]
                    for column in CUSTOM
                ),
            )
            for alert in listed
        ]
        yield SqlTable(table, ("SystemAlertId", "TimeGenerated", *CUSTOM), tuple(rows))


def _question(attack: Sequence[Alert], hops: int, landscape: Landscape, rng: random.Random) -> Case:
    """Return a question whose answer lies `hops` alerts after the one that its context tells of."""
    first, last = attack[0], attack[hops]
    links = landscape.links[:hops]
    start, asked = rng.sample([kind for kind in KINDS if kind not in landscape.links], 2)
    on = "That alert" if not hops else f"The attack led to an alert '{last.title}', which"
    steps = [
        f"The alert '{alert.title}' shares the {link} `{alert.entities[link]}` with the next one."
        for alert, link in zip(attack, links, strict=False)
    ]
    answer = last.entities[asked]
    return Case(
        context=f"An alert '{first.title}' is about the {start} `{first.entities[start]}`.",
        question=f"{on} is about another entity. What is its {asked}?"
        if not hops
        else f"{on} is linked to it by shared entities, one alert after the other. What is the {asked} "
        "of that last alert?",
        answer=answer,
        solution=(*steps, f"The alert '{last.title}' is about the {asked} `{answer}`."),
    )
