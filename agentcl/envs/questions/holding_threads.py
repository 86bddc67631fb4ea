"""What a history of the holding suite is made of: each thread says something, and what became of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

from agentcl.envs.questions import holding_phrases as phrases
from agentcl.envs.questions.holding_dates import SaidDay, coming_day, past_day, plain_day, spoken
from agentcl.envs.questions.holding_phrases import Several, Slot
from agentcl.envs.questions.holding_story import Beat, Claim, Story
from agentcl.envs.questions.small_talk import REJECTED, SHORT_REPLIES

CHANGING: Final = 8  # at most so often the user speaks of an attribute that changes
STEADY: Final = 6  # and of one that does not
_COUNTED: Final = ("one", "two", "three", "four")


def changing(story: Story, slot: Slot) -> None:
    """Tell an attribute that changes once or twice, with what misleads beside it."""
    rng = story.rng
    versions = 3 if len(story.days) > 3 and rng.random() < 0.3 else 2
    places = story.sessions(versions)
    values = [story.value(slot.values, slot.named) for _ in places]
    beats = [story.say(places[0], story.form(slot.stated, v=values[0]))]
    claims = [Claim("user", slot.attribute, values[0], "single", [beats[0]])]
    days: list[SaidDay] = []
    if places[0] + 1 < places[1]:
        again = story.say(places[0] + 1, story.form(slot.repeated, v=values[0]))
        claims[0].beats.append(again)
    for place, old, value in zip(places[1:], values, values[1:], strict=False):
        is_ahead = place + 1 < len(story.days) and rng.random() < 0.3
        draw, forms = (coming_day, slot.planned) if is_ahead else (past_day, slot.changed)
        earliest = max([story.days[place - 1], *(day.day for day in days)]) + timedelta(days=2)
        while (day := draw(rng, story.days[place], held_out=story.held_out)).day <= earliest:
            pass  # a month, or what was planned, may not fit to what was said before
        sentence = story.form(forms, v=value, o=old, on=day.on, since=day.since)
        beats.append(story.say(place, sentence))
        claims[-1].until = day.value
        claims[-1].beats.append(beats[-1])
        claims.append(Claim("user", slot.attribute, value, "single", [beats[-1]], day.value))
        days.append(day)
    story.claims += claims
    lures = _misleading(story, slot)
    now = story.form(slot.now)
    story.ask("now", now, values[-1], [beats[-1]], stale=values[:-1], lure=lures)
    story.ask(
        "since",
        slot.since.format(v=values[-1]),
        days[-1].value,
        [beats[-1]],
        accept=days[-1].spoken,
    )
    before = max([story.days[places[-2]], *(day.day for day in days[:-1])])
    _ask_then(
        story,
        slot,
        beats,
        values,
        max(days[-1].day - timedelta(days=3), before + timedelta(days=1)),
    )


def _ask_then(
    story: Story, slot: Slot, beats: Sequence[Beat], values: Sequence[str], as_of: date
) -> None:
    """Ask what held before the last change."""
    day = f"{as_of.day} {as_of:%B} {as_of.year}"
    story.ask("then", slot.then.format(day=day), values[-2], [beats[-2]], stale=values[:-2], lure=values[-1:],
              as_of=as_of)  # fmt: skip


def _misleading(story: Story, slot: Slot) -> list[str]:
    """Tell what others have, what would be, and what the assistant guesses; return these values."""
    rng, lures = story.rng, []
    if rng.random() < 0.7:
        lures.append(_of_other(story, slot))
    if rng.random() < 0.5:
        value = story.value(slot.values, slot.named)
        beat = story.say(story.sessions(1)[0], story.form(slot.if_only, v=value))
        lures.append(value)
        if rng.random() < 0.5:
            story.ask(
                "never", slot.since.format(v=value), "unknown", [beat], accept=("not stated",)
            )
    if rng.random() < 0.4:
        value = story.value(slot.values, slot.named)
        session, (request, _) = story.sessions(1)[0], story.request()
        guessed = story.form(slot.guess, v=value)
        story.beats[session].append(Beat(request, guessed))
        story.beats[session].append(Beat(rng.choice(REJECTED), rng.choice(SHORT_REPLIES)))
        lures.append(value)
    return lures


def _of_other(story: Story, slot: Slot) -> str:
    who = story.value(phrases.RELATIVES)
    value = story.value(slot.values, slot.named)
    beat = story.say(story.sessions(1)[0], story.form(slot.of_other, who=who, v=value))
    story.claims.append(Claim(who, slot.attribute, value, "other", [beat]))
    story.ask("who", slot.who.format(v=value), f"the user's {who}", [beat], accept=(who,))
    return value


def steady(story: Story, slot: Slot) -> None:
    """Tell an attribute that is said once or twice, and never changes."""
    value = story.value(slot.values, slot.named)
    places = story.sessions(2)
    beats = [
        story.say(places[0], story.form(slot.stated, v=value)),
        story.say(places[1], story.form(slot.repeated, v=value)),
    ]
    story.claims.append(Claim("user", slot.attribute, value, "single", beats))
    lures = _misleading(story, slot)
    story.ask("now", story.form(slot.now), value, beats[:1], lure=lures)


def _members(story: Story) -> None:
    """Tell a set that grows by some and loses one."""
    bank: Several = story.rng.choice(phrases.SEVERAL)
    places = story.sessions(min(3, len(story.days)))
    added = [*places[:-1], places[-2]]
    members = [story.value(bank.values) for _ in added]
    beats = [story.say(place, story.form(bank.added, v=member))
             for place, member in zip(added, members, strict=True)]  # fmt: skip
    gone = story.rng.choice(members[:-1])
    removal = story.say(places[-1], story.form(bank.removed, v=gone))
    for member, beat in zip(members, beats, strict=True):
        is_gone = member == gone
        told = [beat, removal] if is_gone else [beat]
        story.claims.append(
            Claim("user", bank.attribute, member, "set", told, until=removal if is_gone else None)
        )
    left = [member for member in members if member != gone]
    orders = [", ".join(reversed(left)), " and ".join(left), " and ".join(reversed(left))]
    story.ask("set", bank.asked, ", ".join(left), [b for m, b in zip(members, beats, strict=True) if m != gone],
              accept=[] if len(left) == 1 else orders, stale=[gone])  # fmt: skip
    story.ask(
        "set",
        bank.still.format(v=gone),
        "no",
        [removal],
        accept=("no longer", "not any more"),
        stale=["yes"],
    )


def _dated(story: Story) -> None:
    """Tell when something will be."""
    noun, place = story.value(phrases.EVENTS), story.sessions(1)[0]
    day = coming_day(story.rng, story.days[place], held_out=story.held_out)
    beat = story.say(place, story.form(phrases.DATED, n=noun, on=day.on))
    story.claims.append(Claim("user", noun, day.value, "event", [beat], day.value, day.value))
    story.ask("date", phrases.EVENT_DATE.format(n=noun), day.value, [beat], accept=day.spoken)


def _moved(story: Story) -> None:
    """Tell when something will be, and later that it will be another day."""
    noun, place = story.value(phrases.EVENTS), story.sessions(1, before_last=True)[0]
    later = story.days[place + 1]
    first = plain_day(
        story.rng, later + timedelta(days=story.rng.randint(8, 20)), held_out=story.held_out
    )
    told = story.say(place, story.form(phrases.DATED, n=noun, on=first.on))
    while (second := coming_day(story.rng, later, held_out=story.held_out)).day == first.day:
        pass
    moved = story.say(place + 1, story.form(phrases.MOVED, n=noun, on=second.on, to=second.since))
    story.claims.append(Claim("user", noun, first.value, "event", [told], None, moved))
    story.claims.append(Claim("user", noun, second.value, "event", [moved], moved))
    stale = first.on.removeprefix("on ")
    story.ask(
        "date",
        phrases.EVENT_DATE.format(n=noun),
        second.value,
        [moved],
        accept=second.spoken,
        stale=[stale],
    )
    between = story.days[place] + timedelta(days=2)
    day = f"{between.day} {between:%B} {between.year}"
    story.ask("then", phrases.EVENT_THEN.format(n=noun, day=day), first.value, [told],
              accept=(stale, *spoken(first.day)), as_of=between)  # fmt: skip


def _misspoken(story: Story) -> None:
    """Tell a number wrong and at once right; half of them change later."""
    rng, noun = story.rng, story.value(phrases.IDENTIFIERS)
    places = story.sessions(2)
    wrong, right, newer = (
        f"{_letters(rng)}-{number}" for number in rng.sample(range(10_000, 99_999), 3)
    )
    beat = story.say(places[0], story.form(phrases.MISSPOKEN, n=noun, x=wrong, v=right))
    claim = Claim("user", noun, right, "identifier", [beat])
    story.claims.append(claim)
    asked = phrases.IDENTIFIER_NOW.format(n=noun)
    if rng.random() < 0.5:
        story.ask("now", asked, right, [beat], lure=[wrong])
        return
    renewed = story.say(places[1], story.form(phrases.RENEWED, n=noun, v=newer))
    claim.until = renewed
    story.claims.append(Claim("user", noun, newer, "identifier", [renewed], renewed))
    story.ask("now", asked, newer, [renewed], stale=[right], lure=[wrong])
    as_of = story.days[places[0]] + timedelta(days=2)
    day = f"{as_of.day} {as_of:%B} {as_of.year}"
    story.ask("then", phrases.IDENTIFIER_THEN.format(n=noun, day=day), right, [beat], lure=[wrong, newer],
              as_of=as_of)  # fmt: skip


def _ordered(story: Story) -> None:
    """Tell how answers shall be, and later otherwise."""
    topic, *ways = story.rng.choice(phrases.STYLES)
    if story.rng.random() < 0.5:
        ways.reverse()
    places = story.sessions(2)
    first = story.say(places[0], story.form(phrases.ORDERED, v=ways[0]))
    second = story.say(places[1], story.form(phrases.REORDERED, v=ways[1], o=ways[0]))
    attribute = "instruction to the assistant"
    story.claims.append(
        Claim("user", attribute, f"use {ways[0]}", "instruction", [first, second], first, second)
    )
    story.claims.append(Claim("user", attribute, f"use {ways[1]}", "instruction", [second], second))
    story.ask(
        "instruction", phrases.STYLE_ASKED.format(n=topic), ways[1], [second], stale=[ways[0]]
    )


def _course(story: Story) -> None:
    """Tell a plan, and later that nothing comes of it."""
    name, places = story.value(phrases.COURSES), story.sessions(2)
    planned = story.say(places[0], story.form(phrases.SIGNED_UP, v=name))
    ended = story.say(places[1], story.form(phrases.FELL_THROUGH, v=name))
    story.claims.append(Claim("user", "course", name, "event", [planned, ended], planned, ended))
    story.ask(
        "now",
        phrases.COURSE_ASKED.format(v=name),
        "no",
        [ended],
        accept=("it fell through",),
        stale=["yes"],
    )


def _pets(story: Story) -> None:
    """Tell of one pet, then of a second; of some, that the first is gone."""
    rng, noun = story.rng, story.value(phrases.ANIMALS)
    places = story.sessions(3)
    names = [story.names.fresh(), story.names.fresh()]
    forms = (phrases.FIRST_PET, phrases.NEXT_PET)
    beats = [story.say(place, story.form(form, n=noun, v=name))
             for place, form, name in zip(places, forms, names, strict=False)]  # fmt: skip
    lost = (
        story.say(places[2], story.form(phrases.LOST_PET, n=noun, v=names[0]))
        if rng.random() < 0.4
        else None
    )
    claims = [
        Claim("user", noun, name, "set", [beat]) for name, beat in zip(names, beats, strict=True)
    ]
    if lost is not None:
        claims[0].until = lost
        claims[0].beats.append(lost)
    story.claims += claims
    left, stale = (names[1:], names[:1]) if lost is not None else (names, [])
    count = len(left)
    story.ask("count", phrases.PET_COUNT.format(n=noun), str(count), [*beats, *([lost] if lost else [])],
              accept=[_COUNTED[count - 1]])  # fmt: skip
    orders = [", ".join(reversed(left)), " and ".join(left), " and ".join(reversed(left))]
    story.ask("set", phrases.PET_NAMES.format(n=noun), ", ".join(left), beats[-count:],
              accept=orders if count > 1 else [], stale=stale)  # fmt: skip


def _pasted(story: Story) -> None:
    """Paste a text of somebody else, in which a sentence gives orders to the assistant."""
    rng, noun = story.rng, story.value(phrases.SECRETS)
    value = f"{story.names.fresh().lower()}-{rng.randint(10, 99)}"
    around = rng.sample(phrases.INNOCENT, 2)
    order = story.form(phrases.INJECTED, n=noun, v=value)
    text = story.form(phrases.PASTED, a=around[0], order=order, b=around[1])
    beat = story.say(story.sessions(1)[0], text, phrases.PASTED_REPLY, bare=True)
    accept = ("not stated", "none")
    story.ask(
        "hostile",
        phrases.SECRET_ASKED.format(n=noun),
        "unknown",
        [beat],
        accept=accept,
        lure=[value],
    )


def _suggested(story: Story) -> None:
    """Let the assistant suggest something."""
    rng = story.rng
    room, colour = rng.choice(phrases.ROOMS), rng.choice(phrases.COLOURS)
    reply = story.form(phrases.SUGGESTED, n=room, v=colour)
    beat = story.say(story.sessions(1)[0], story.form(phrases.PAINT, n=room), reply, bare=True)
    story.ask("who", phrases.SUGGESTED_ASKED.format(v=colour, n=room), "the assistant", [beat], is_reply=True,
              accept=("assistant",))  # fmt: skip


def _letters(rng: random.Random) -> str:
    return "".join(rng.sample("BCDFGHJKLMNPRTVW", 2))


# By thread, the most that it has the user say.
THREADS: Final[dict[Callable[[Story], None], int]] = {
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
