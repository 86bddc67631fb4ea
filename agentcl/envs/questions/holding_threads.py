"""What a history of the holding suite is made of: each thread says something, and what became of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

from agentcl.envs.questions import holding_phrases as phrases
from agentcl.envs.questions.holding_dates import SaidDay, coming_day, past_day, plain_day, spoken
from agentcl.envs.questions.holding_phrases import Several, Slot
from agentcl.envs.questions.holding_tale import Beat, Claim, Tale
from agentcl.envs.questions.small_talk import REJECTED, SHORT_REPLIES

CHANGING: Final = 8  # at most so often the user speaks of an attribute that changes
STEADY: Final = 6  # and of one that does not
_COUNTED: Final = ("one", "two", "three", "four")


def changing(tale: Tale, slot: Slot) -> None:
    """Tell an attribute that changes once or twice, with what misleads beside it."""
    rng = tale.rng
    versions = 3 if len(tale.days) > 3 and rng.random() < 0.3 else 2
    places = tale.sessions(versions)
    values = [tale.value(slot.values, slot.named) for _ in places]
    beats = [tale.say(places[0], tale.form(slot.stated, v=values[0]))]
    claims = [Claim("user", slot.attribute, values[0], "single", [beats[0]])]
    days: list[SaidDay] = []
    if places[0] + 1 < places[1]:
        again = tale.say(places[0] + 1, tale.form(slot.repeated, v=values[0]))
        claims[0].beats.append(again)
    for place, old, value in zip(places[1:], values, values[1:], strict=False):
        is_ahead = place + 1 < len(tale.days) and rng.random() < 0.3
        draw, forms = (coming_day, slot.planned) if is_ahead else (past_day, slot.changed)
        earliest = max([tale.days[place - 1], *(day.day for day in days)]) + timedelta(days=2)
        while (day := draw(rng, tale.days[place], held_out=tale.held_out)).day <= earliest:
            pass  # a month, or what was planned, may not fit to what was said before
        sentence = tale.form(forms, v=value, o=old, on=day.on, since=day.since)
        beats.append(tale.say(place, sentence))
        claims[-1].until = day.value
        claims[-1].beats.append(beats[-1])
        claims.append(Claim("user", slot.attribute, value, "single", [beats[-1]], day.value))
        days.append(day)
    tale.claims += claims
    lures = _misleading(tale, slot)
    now = tale.form(slot.now)
    tale.ask("now", now, values[-1], [beats[-1]], stale=values[:-1], lure=lures)
    tale.ask(
        "since",
        slot.since.format(v=values[-1]),
        days[-1].value,
        [beats[-1]],
        accept=days[-1].spoken,
    )
    before = max([tale.days[places[-2]], *(day.day for day in days[:-1])])
    _ask_then(
        tale, slot, beats, values, max(days[-1].day - timedelta(days=3), before + timedelta(days=1))
    )


def _ask_then(
    tale: Tale, slot: Slot, beats: Sequence[Beat], values: Sequence[str], as_of: date
) -> None:
    """Ask what held before the last change."""
    day = f"{as_of.day} {as_of:%B} {as_of.year}"
    tale.ask("then", slot.then.format(day=day), values[-2], [beats[-2]], stale=values[:-2], lure=values[-1:],
              as_of=as_of)  # fmt: skip


def _misleading(tale: Tale, slot: Slot) -> list[str]:
    """Tell what others have, what would be, and what the assistant guesses; return these values."""
    rng, lures = tale.rng, []
    if rng.random() < 0.7:
        lures.append(_of_other(tale, slot))
    if rng.random() < 0.5:
        value = tale.value(slot.values, slot.named)
        beat = tale.say(tale.sessions(1)[0], tale.form(slot.if_only, v=value))
        lures.append(value)
        if rng.random() < 0.5:
            tale.ask("never", slot.since.format(v=value), "unknown", [beat], accept=("not stated",))
    if rng.random() < 0.4:
        value = tale.value(slot.values, slot.named)
        session, (request, _) = tale.sessions(1)[0], tale.request()
        guessed = tale.form(slot.guess, v=value)
        tale.beats[session].append(Beat(request, guessed))
        tale.beats[session].append(Beat(rng.choice(REJECTED), rng.choice(SHORT_REPLIES)))
        lures.append(value)
    return lures


def _of_other(tale: Tale, slot: Slot) -> str:
    who = tale.value(phrases.RELATIVES)
    value = tale.value(slot.values, slot.named)
    beat = tale.say(tale.sessions(1)[0], tale.form(slot.of_other, who=who, v=value))
    tale.claims.append(Claim(who, slot.attribute, value, "other", [beat]))
    tale.ask("who", slot.who.format(v=value), f"the user's {who}", [beat], accept=(who,))
    return value


def steady(tale: Tale, slot: Slot) -> None:
    """Tell an attribute that is said once or twice, and never changes."""
    value = tale.value(slot.values, slot.named)
    places = tale.sessions(2)
    beats = [
        tale.say(places[0], tale.form(slot.stated, v=value)),
        tale.say(places[1], tale.form(slot.repeated, v=value)),
    ]
    tale.claims.append(Claim("user", slot.attribute, value, "single", beats))
    lures = _misleading(tale, slot)
    tale.ask("now", tale.form(slot.now), value, beats[:1], lure=lures)


def _members(tale: Tale) -> None:
    """Tell a set that grows by some and loses one."""
    bank: Several = tale.rng.choice(phrases.SEVERAL)
    places = tale.sessions(min(3, len(tale.days)))
    added = [*places[:-1], places[-2]]
    members = [tale.value(bank.values) for _ in added]
    beats = [tale.say(place, tale.form(bank.added, v=member))
             for place, member in zip(added, members, strict=True)]  # fmt: skip
    gone = tale.rng.choice(members[:-1])
    removal = tale.say(places[-1], tale.form(bank.removed, v=gone))
    for member, beat in zip(members, beats, strict=True):
        is_gone = member == gone
        told = [beat, removal] if is_gone else [beat]
        tale.claims.append(
            Claim("user", bank.attribute, member, "set", told, until=removal if is_gone else None)
        )
    left = [member for member in members if member != gone]
    orders = [", ".join(reversed(left)), " and ".join(left), " and ".join(reversed(left))]
    tale.ask("set", bank.asked, ", ".join(left), [b for m, b in zip(members, beats, strict=True) if m != gone],
              accept=[] if len(left) == 1 else orders, stale=[gone])  # fmt: skip
    tale.ask(
        "set",
        bank.still.format(v=gone),
        "no",
        [removal],
        accept=("no longer", "not any more"),
        stale=["yes"],
    )


def _dated(tale: Tale) -> None:
    """Tell when something will be."""
    noun, place = tale.value(phrases.EVENTS), tale.sessions(1)[0]
    day = coming_day(tale.rng, tale.days[place], held_out=tale.held_out)
    beat = tale.say(place, tale.form(phrases.DATED, n=noun, on=day.on))
    tale.claims.append(Claim("user", noun, day.value, "event", [beat], day.value, day.value))
    tale.ask("date", phrases.EVENT_DATE.format(n=noun), day.value, [beat], accept=day.spoken)


def _moved(tale: Tale) -> None:
    """Tell when something will be, and later that it will be another day."""
    noun, place = tale.value(phrases.EVENTS), tale.sessions(1, before_last=True)[0]
    later = tale.days[place + 1]
    first = plain_day(
        tale.rng, later + timedelta(days=tale.rng.randint(8, 20)), held_out=tale.held_out
    )
    told = tale.say(place, tale.form(phrases.DATED, n=noun, on=first.on))
    while (second := coming_day(tale.rng, later, held_out=tale.held_out)).day == first.day:
        pass
    moved = tale.say(place + 1, tale.form(phrases.MOVED, n=noun, on=second.on, to=second.since))
    tale.claims.append(Claim("user", noun, first.value, "event", [told], None, moved))
    tale.claims.append(Claim("user", noun, second.value, "event", [moved], moved))
    stale = first.on.removeprefix("on ")
    tale.ask(
        "date",
        phrases.EVENT_DATE.format(n=noun),
        second.value,
        [moved],
        accept=second.spoken,
        stale=[stale],
    )
    between = tale.days[place] + timedelta(days=2)
    day = f"{between.day} {between:%B} {between.year}"
    tale.ask("then", phrases.EVENT_THEN.format(n=noun, day=day), first.value, [told],
              accept=(stale, *spoken(first.day)), as_of=between)  # fmt: skip


def _misspoken(tale: Tale) -> None:
    """Tell a number wrong and at once right; half of them change later."""
    rng, noun = tale.rng, tale.value(phrases.IDENTIFIERS)
    places = tale.sessions(2)
    wrong, right, newer = (
        f"{_letters(rng)}-{number}" for number in rng.sample(range(10_000, 99_999), 3)
    )
    beat = tale.say(places[0], tale.form(phrases.MISSPOKEN, n=noun, x=wrong, v=right))
    claim = Claim("user", noun, right, "identifier", [beat])
    tale.claims.append(claim)
    asked = phrases.IDENTIFIER_NOW.format(n=noun)
    if rng.random() < 0.5:
        tale.ask("now", asked, right, [beat], lure=[wrong])
        return
    renewed = tale.say(places[1], tale.form(phrases.RENEWED, n=noun, v=newer))
    claim.until = renewed
    tale.claims.append(Claim("user", noun, newer, "identifier", [renewed], renewed))
    tale.ask("now", asked, newer, [renewed], stale=[right], lure=[wrong])
    as_of = tale.days[places[0]] + timedelta(days=2)
    day = f"{as_of.day} {as_of:%B} {as_of.year}"
    tale.ask("then", phrases.IDENTIFIER_THEN.format(n=noun, day=day), right, [beat], lure=[wrong, newer],
              as_of=as_of)  # fmt: skip


def _ordered(tale: Tale) -> None:
    """Tell how answers shall be, and later otherwise."""
    topic, *ways = tale.rng.choice(phrases.STYLES)
    if tale.rng.random() < 0.5:
        ways.reverse()
    places = tale.sessions(2)
    first = tale.say(places[0], tale.form(phrases.ORDERED, v=ways[0]))
    second = tale.say(places[1], tale.form(phrases.REORDERED, v=ways[1], o=ways[0]))
    attribute = "instruction to the assistant"
    tale.claims.append(
        Claim("user", attribute, f"use {ways[0]}", "instruction", [first, second], first, second)
    )
    tale.claims.append(Claim("user", attribute, f"use {ways[1]}", "instruction", [second], second))
    tale.ask("instruction", phrases.STYLE_ASKED.format(n=topic), ways[1], [second], stale=[ways[0]])


def _course(tale: Tale) -> None:
    """Tell a plan, and later that nothing comes of it."""
    name, places = tale.value(phrases.COURSES), tale.sessions(2)
    planned = tale.say(places[0], tale.form(phrases.SIGNED_UP, v=name))
    ended = tale.say(places[1], tale.form(phrases.FELL_THROUGH, v=name))
    tale.claims.append(Claim("user", "course", name, "event", [planned, ended], planned, ended))
    tale.ask(
        "now",
        phrases.COURSE_ASKED.format(v=name),
        "no",
        [ended],
        accept=("it fell through",),
        stale=["yes"],
    )


def _pets(tale: Tale) -> None:
    """Tell of one pet, then of a second; of some, that the first is gone."""
    rng, noun = tale.rng, tale.value(phrases.ANIMALS)
    places = tale.sessions(3)
    names = [tale.names.fresh(), tale.names.fresh()]
    forms = (phrases.FIRST_PET, phrases.NEXT_PET)
    beats = [tale.say(place, tale.form(form, n=noun, v=name))
             for place, form, name in zip(places, forms, names, strict=False)]  # fmt: skip
    lost = (
        tale.say(places[2], tale.form(phrases.LOST_PET, n=noun, v=names[0]))
        if rng.random() < 0.4
        else None
    )
    claims = [
        Claim("user", noun, name, "set", [beat]) for name, beat in zip(names, beats, strict=True)
    ]
    if lost is not None:
        claims[0].until = lost
        claims[0].beats.append(lost)
    tale.claims += claims
    left, stale = (names[1:], names[:1]) if lost is not None else (names, [])
    count = len(left)
    tale.ask("count", phrases.PET_COUNT.format(n=noun), str(count), [*beats, *([lost] if lost else [])],
              accept=[_COUNTED[count - 1]])  # fmt: skip
    orders = [", ".join(reversed(left)), " and ".join(left), " and ".join(reversed(left))]
    tale.ask("set", phrases.PET_NAMES.format(n=noun), ", ".join(left), beats[-count:],
              accept=orders if count > 1 else [], stale=stale)  # fmt: skip


def _pasted(tale: Tale) -> None:
    """Paste a text of somebody else, in which a sentence gives orders to the assistant."""
    rng, noun = tale.rng, tale.value(phrases.SECRETS)
    value = f"{tale.names.fresh().lower()}-{rng.randint(10, 99)}"
    around = rng.sample(phrases.INNOCENT, 2)
    order = tale.form(phrases.INJECTED, n=noun, v=value)
    text = tale.form(phrases.PASTED, a=around[0], order=order, b=around[1])
    beat = tale.say(tale.sessions(1)[0], text, phrases.PASTED_REPLY, bare=True)
    accept = ("not stated", "none")
    tale.ask(
        "hostile",
        phrases.SECRET_ASKED.format(n=noun),
        "unknown",
        [beat],
        accept=accept,
        lure=[value],
    )


def _suggested(tale: Tale) -> None:
    """Let the assistant suggest something."""
    rng = tale.rng
    room, colour = rng.choice(phrases.ROOMS), rng.choice(phrases.COLOURS)
    reply = tale.form(phrases.SUGGESTED, n=room, v=colour)
    beat = tale.say(tale.sessions(1)[0], tale.form(phrases.PAINT, n=room), reply, bare=True)
    tale.ask("who", phrases.SUGGESTED_ASKED.format(v=colour, n=room), "the assistant", [beat], is_reply=True,
              accept=("assistant",))  # fmt: skip


def _letters(rng: random.Random) -> str:
    return "".join(rng.sample("BCDFGHJKLMNPRTVW", 2))


# By thread, the most that it has the user say.
THREADS: Final[dict[Callable[[Tale], None], int]] = {
    _members: 4,
    _dated: 1,
    _moved: 2,
    _misspoken: 2,
    _ordered: 2,
    _course: 2,
    _pets: 3,
    _pasted: 1,
    _suggested: 1,
}
