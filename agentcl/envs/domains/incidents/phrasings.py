"""The phrases of the natural voice, in two shares that have none in common: one to train on, one held out.

Places in braces are filled by `natural.Natural`: {it} is the service with its name, {It} the same at the beginning of a
sentence, {sign} what is wrong with it, {kind} and {host} its kind and its name, {before} the action that has to come first,
{noise}, {noise2} and {noise3} lines beside the point; {who}, {whom}, {at}, {later}, {day}, {number} and {other} are people, times, numbers and
another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# One wording for each action, whatever the share, so that an agent can name it and a rule keeps its words.
ACTIONS: Final[Mapping[str, str]] = {
    "restart": "restart {}",
    "drain": "drain {}",
    "flush": "flush the buffers of {}",
    "scale": "add capacity to {}",
    "rotate": "rotate the credentials of {}",
    "throttle": "rate-limit the callers of {}",
    "isolate": "take {} out of rotation",
    "rebuild": "rebuild the index of {}",
    "patch": "install the latest patch on {}",
    "resize": "enlarge the volume of {}",
    "probe": "send a probe to {}",
    "trace": "turn on tracing for {}",
    "pause": "pause all jobs on {}",
    "refill": "refill {} from its backup",
    "inspect": "read the logs of {}",
    "query": "query the metrics of {}",
    "sample": "take a thread dump of {}",
    "measure": "measure the latency of {}",
}
# What the true rules call a state: plainly, and in the words of neither share.
PLAIN: Final[Mapping[str, str]] = {
    "slow": "is slow to respond",
    "full": "is full",
    "hot": "runs too hot",
    "silent": "falls silent",
    "stale": "has stale data",
    "locked": "has a lock that is not released",
    "noisy": "sends far too many messages",
    "cold": "is cold, as if just started",
    "blocked": "is blocked",
    "empty": "is empty",
    "leaking": "is leaking memory",
    "late": "is late with its work",
}
PLAIN_CODE: Final = "reports the code {}"
PLAIN_HIDDEN: Final = "has an alert that does not tell the cause"


@dataclass(frozen=True, slots=True)
class Phrasings:
    """The phrases of one share; of each kind one is drawn."""

    states: Mapping[str, tuple[str, ...]]
    codes: tuple[str, ...]  # of a sign that is a code of its own: {}
    hidden: tuple[str, ...]  # of an alert that does not tell its sign
    services: tuple[str, ...]  # what stands for {it}
    alerts: tuple[str, ...]
    goals: tuple[str, ...]
    noise: tuple[str, ...]
    found: tuple[str, ...]  # a diagnostic shows the sign
    found_nothing: tuple[str, ...]
    needed: tuple[str, ...]
    done: tuple[str, ...]
    cleared: tuple[str, ...]
    worse: tuple[str, ...]
    nothing: tuple[str, ...]
    unknown: tuple[str, ...]
    people: tuple[str, ...]


TRAIN: Final = Phrasings(
    states={
        "slow": (
            "is crawling",
            "takes ages to answer",
            "needs ten seconds for a request that used to take one",
            "has a p99 three times the usual",
            "lets callers run into timeouts",
            "loads as if over a modem",
        ),
        "full": (
            "has run out of space",
            "sits at 100% of its disk",
            "has no room left",
            "hit its storage limit",
            "cannot write, device out of blocks",
            "ate up its whole quota",
        ),
        "hot": (
            "is overheating",
            "has been at 94 degrees for a while",
            "has every fan at maximum",
            "is burning up",
            "tripped the heat sensor",
            "throttled its clock because of the heat",
        ),
        "silent": (
            "has stopped sending heartbeats",
            "went quiet",
            "has not logged a line for twenty minutes",
            "gives no sign of life",
            "does not reply to pings",
            "dropped off our dashboards",
        ),
        "stale": (
            "serves yesterday's data",
            "keeps showing old values",
            "is hours out of date",
            "has not picked up any update since breakfast",
            "lags three versions behind its source",
            "still shows prices of last month",
        ),
        "locked": (
            "is held by a lock nobody lets go of",
            "refuses writes because of a lock",
            "waits on a lock of a dead session",
            "shows a lock that should have expired long ago",
            "lets nobody in before some mutex is free",
            "is frozen by an unfinished transaction",
        ),
        "noisy": (
            "floods the channel with warnings",
            "fires the same alarm every ten seconds",
            "is spamming us",
            "sends thousands of lines about nothing",
            "pages us for every little thing",
            "writes a gigabyte of debug output an hour",
        ),
        "cold": (
            "has not warmed up",
            "came up with nothing preloaded",
            "is stone cold after the deploy",
            "answers every first call from scratch",
            "misses on each lookup right after its start",
            "was brought up without any of its data in memory",
        ),
        "blocked": (
            "is stuck behind a single job",
            "does not let anything through",
            "is jammed",
            "has everything waiting and nothing moving",
            "has not finished a request since it took that huge one",
            "is backed up behind a poison message",
        ),
        "empty": (
            "has nothing in it",
            "holds zero entries",
            "came back without a single row",
            "lost all its contents",
            "returns an empty list to everyone",
            "shows a count of 0 where thousands should be",
        ),
        "leaking": (
            "keeps eating memory",
            "grows by 200 MB an hour and never gives it back",
            "leaks file handles",
            "has a heap that climbs all day",
            "gets killed for memory every night and starts over",
            "opens sockets and does not close them",
        ),
        "late": (
            "runs behind schedule",
            "delivers an hour after it is due",
            "keeps missing its deadlines",
            "finished last night's batch at noon",
            "starts its jobs long after their slot",
            "has results ready when nobody needs them any more",
        ),
    },
    codes=("keeps throwing {}", "logs {} over and over", "ends every call with {}"),
    hidden=(
        "has an open alert, cause unknown",
        "paged us and did not say why",
        "is red on the board, no details",
    ),
    services=(
        "the {kind} {host}",
        "our {kind} {host}",
        "the {kind} {host} in the second rack",
        "{host} (the {kind})",
    ),
    alerts=(
        "Ticket #{number}, opened {at} by {who}\n{It} {sign}.\n{noise}",
        "{who} ({at}): {noise}\n{whom} ({at}): {noise2}\n{who} ({later}): {it} {sign}, just so you know\n"
        "{whom} ({later}): thanks. {noise3}",
        "Ticket #{number} | prio 2 | assigned to you\n\nHello team,\n{noise} {noise2} Now to the matter: {it} {sign}. {noise3} "
        "Could you take care of it?\n\nThanks, {who}",
        "{who} ({at}): {noise}\n{whom} ({later}): heads up, {it} {sign}\n{who} ({later}): not again",
        "{who} ({at}): anyone around? {it} {sign}\n{whom} ({later}): looking. {noise}",
        '{day}T{at}:12 INFO {other} health check ok\n{day}T{at}:14 WARN {host} kind={kind} msg="{it} {sign}"\n'
        "{day}T{at}:15 INFO {other} health check ok",
        '{{"monitor": "m-{number}", "level": "alert", "at": "{day}T{at}:00Z", "host": "{host}", "kind": "{kind}", '
        '"summary": "{it} {sign}", "note": "{noise}"}}',
        "Subject: {host}\n\nHi,\n\nsince {at} {it} {sign}. {noise}\n\nBest,\n{who}",
        "PAGE {number} at {at}: {it} {sign}. Acknowledge within 15 minutes.",
    ),
    goals=(
        "close the alert on {host}.",
        "get the alert on {host} resolved.",
        "see to it that the alert on {host} goes away.",
    ),
    noise=(
        "Lunch orders go out at noon, tell {whom}.",
        "The parking barrier on level 2 is being painted.",
        "Marketing asks for the new logo on the start page.",
        "The weekly review moves to Thursday.",
        "By the way, the badge reader at the back door needs a second try.",
        "Legal wants the list of vendors by Friday.",
        "Our trainee starts on Monday.",
        "Customer 4471 asked for a copy of an invoice, I sent one.",
        "There is cake in the kitchen.",
        "{other} was green the whole night.",
        "{other} has a new owner, ask {whom}.",
        "No other team has reported anything so far.",
    ),
    found=(
        "There it is: {it} {sign}.",
        "That shows the cause, {it} {sign}.",
        '{{"host": "{host}", "kind": "{kind}", "finding": "{it} {sign}"}}',
        "{who}: good idea. So {it} {sign}.",
    ),
    found_nothing=(
        "Nothing out of the ordinary in there.",
        "Went through all of it and found nothing.",
        '{{"host": "{host}", "finding": null}}',
        "{who}: that tells us nothing, I am afraid.",
    ),
    needed=(
        "Rejected: you have to {before} first.",
        '{{"error": "precondition failed", "required": "{before}"}}',
        "{who}: the runbook says to {before} before that.",
        "The console refuses. It wants you to {before} first.",
    ),
    done=(
        "OK, that went through. The alert is still open.",
        '{{"status": "ok", "alert": "open"}}',
        "{who}: done, and now?",
    ),
    cleared=(
        "The alert closed itself a minute later.",
        '{{"host": "{host}", "status": "resolved"}}',
        "{who}: that was it, the alert is gone. Thanks!",
        "Alert resolved at {later}.",
    ),
    worse=(
        "Ouch, that made it worse: twice as many errors as before.",
        '{{"host": "{host}", "status": "alert", "trend": "worse"}}',
        "{who}: please stop, since then it got worse.",
        "The error rate jumped right after that. It is worse than it was.",
    ),
    nothing=(
        "Nothing changed, the alert is still open.",
        '{{"host": "{host}", "status": "alert", "trend": "unchanged"}}',
        "{who}: no effect as far as I can see.",
        "The graphs look the same. That did not help.",
    ),
    unknown=(
        "Unknown command.",
        "The console does not know that action.",
        "{who}: I don't understand what you want me to do there.",
    ),
    people=("Mira", "Tobias", "Ngozi", "Pavel", "Ines", "Kenji", "Leila", "Oskar"),
)

EVAL: Final = Phrasings(
    states={
        "slow": (
            "feels sluggish to everybody",
            "responds at a snail's pace",
            "keeps people waiting for each reply",
            "works, but it is like wading through mud",
        ),
        "full": (
            "is filled to the brim",
            "cannot take one byte more",
            "shows zero bytes free",
            "turns uploads away for want of storage",
        ),
        "hot": (
            "reports a temperature far above its limit",
            "is cooking itself",
            "has its thermal alarm on",
            "could fry an egg",
        ),
        "silent": (
            "has not been heard from",
            "emits no output any more",
            "says not a word",
            "might as well be switched off, going by its output",
        ),
        "stale": (
            "hands out outdated records",
            "is stuck in last week",
            "returns figures that were true in the past",
            "does not know about anything new",
        ),
        "locked": (
            "reports lock timeouts for whoever writes",
            "sits behind an orphaned lock",
            "is locked by a process that no longer exists",
            "has a deadlock between two writers",
        ),
        "noisy": (
            "drowns everybody in notifications",
            "chatters without end",
            "repeats one and the same complaint all the time",
            "has buried the inbox under its messages",
        ),
        "cold": (
            "has had no warm-up",
            "starts from zero and has loaded no data yet",
            "is still running cold",
            "woke up with a blank memory",
        ),
        "blocked": (
            "is gridlocked",
            "has come to a standstill with work piling up",
            "is clogged",
            "moves no work forward, however much comes in",
        ),
        "empty": (
            "contains not one item",
            "is completely bare",
            "was wiped clean",
            "lists no records whatsoever",
        ),
        "leaking": (
            "never frees what it allocates",
            "has a footprint that only ever rises",
            "bleeds RAM",
            "wants a little more memory every minute, for ever",
        ),
        "late": (
            "is overdue with its run",
            "never gets done on time",
            "lags far behind its timetable",
            "closes its books hours past the cutoff",
        ),
    },
    codes=("spits out {} again and again", "fails with {}", "answers nothing but {}"),
    hidden=(
        "raised the alarm without a word of explanation",
        "is flagged by the watchdog, reason not given",
        "needs attention, though the message is blank",
    ),
    services=(
        "the {kind} called {host}",
        "this {kind} {host}",
        "{host}, which is a {kind},",
        "the {kind} {host} of the Lisbon site",
    ),
    alerts=(
        "Handover from {who}, {at}\n- {noise}\n- {it} {sign}\n- keys are with {whom}",
        "(voice message, {at}) Um, hi, it's {who}. So, {it} {sign}, and nobody has looked at it yet. {noise} Bye.",
        "alert:\n  id: {number}\n  host: {host}\n  kind: {kind}\n  what: {it} {sign}\n  since: {at}\n  remark: {noise}",
        "Minutes of {day}\n1. {noise}\n2. {noise2}\n3. Operations: {it} {sign}; {who} brings it up, you take it.\n"
        "4. {noise3}",
        "Reporter: {who} | Asset: {host} | Type: {kind}\nWhat happens: {it} {sign}.\nAnything else: {noise}",
        "<{number}>{day} {at}:41 {other} watchdog: all quiet\n<{number}>{day} {at}:44 {host} watchdog: {it} {sign}\n"
        "<{number}>{day} {at}:49 {other} watchdog: all quiet",
        "{who}, {at}\n> {noise}\nAgreed. Something else though, {it} {sign}. Yours?\n{whom}, {later}\nYes.",
    ),
    goals=(
        "make the alert of {host} disappear.",
        "bring the incident on {host} to its end.",
        "settle what {host} is alerting about.",
    ),
    noise=(
        "The coffee machine on the third floor works again.",
        "Somebody left an umbrella in room 12.",
        "Payslips are out.",
        "Fire drill on Wednesday, twenty to ten.",
        "Please water the plants while {whom} is away.",
        "The auditors come next month.",
        "{other} passed every check.",
        "The lift is slower than the stairs, as ever.",
    ),
    found=(
        "Got the reason, {it} {sign}.",
        "finding:\n  host: {host}\n  what: {it} {sign}",
        "{who} reads it out to you. As it turns out {it} {sign}.",
    ),
    found_nothing=(
        "All of that looks perfectly normal.",
        "finding:\n  host: {host}\n  what: none",
        "{who} shrugs, since there is no clue in it.",
    ),
    needed=(
        "Not allowed yet, because it takes somebody to {before} beforehand.",
        "denied:\n  missing step: {before}",
        "{who} holds you back. One must {before} ahead of that.",
    ),
    done=(
        "Executed without complaints, with the incident as open as it was.",
        "result:\n  step: completed\n  incident: open",
        "{who} nods, that part is finished.",
    ),
    cleared=(
        "All green again, the incident is over.",
        "result:\n  host: {host}\n  incident: closed",
        "{who} sends a thumbs up, since everything is back to normal.",
    ),
    worse=(
        "Bad move, users complain even more than they did.",
        "result:\n  host: {host}\n  incident: escalated",
        "{who} calls in a panic, for the situation has deteriorated.",
    ),
    nothing=(
        "It made no difference whatsoever.",
        "result:\n  host: {host}\n  incident: as it was",
        "{who} still sees the very same picture.",
    ),
    unknown=(
        "No such operation here.",
        "There is nobody who could do that.",
        "{who} asks what that is supposed to be.",
    ),
    people=("Farida", "Bram", "Yuki", "Chiara", "Dmitri", "Salma"),
)
SHARES: Final[Mapping[str, Phrasings]] = {"train": TRAIN, "eval": EVAL}
