"""The verbs that clauses are taken apart by: their forms, and what they tell of."""

from __future__ import annotations

from typing import Final

# By lemma: its other forms (s-form, past, participle, -ing), where they are not made by rule.
_IRREGULAR: Final = {
    "be": "is are was were am been being 's 'm 're",
    "have": "has had having",
    "teach": "teaches taught",
    "study": "studies studied",
    "do": "does did done doing",
    "sing": "sings sang sung",
    "swim": "swims swam swum swimming",
    "run": "runs ran running",
    "ride": "rides rode ridden riding",
    "drive": "drives drove driven driving",
    "speak": "speaks spoke spoken",
    "eat": "eats ate eaten",
    "drink": "drinks drank drunk",
    "take": "takes took taken taking",
    "begin": "begins began begun beginning",
    "leave": "leaves left leaving",
    "quit": "quits quitting",
    "give up": "gives up gave up given up giving up",
    "sell": "sells sold",
    "buy": "buys bought",
    "get": "gets getting",
    "keep": "keeps kept",
    "pay": "pays paid",
    "cost": "costs",
    "weigh": "weighs weighed",
    "grow": "grows grew grown",
    "win": "wins won winning",
    "lose": "loses lost losing",
    "break": "breaks broke broken breaking",
    "send": "sends sent",
    "send back": "sends back sent back",
    "come": "comes came coming",
    "meet": "meets met",
    "fly": "flies flew flown",
    "write": "writes wrote written writing",
    "wear": "wears wore worn",
    "lead": "leads led",
    "build": "builds built",
    "make": "makes made making",
    "fall through": "falls through fell through fallen through",
    "stop": "stops stopped stopping",
    "drop": "drops dropped dropping",
    "slip": "slips slipped slipping",
    "ship": "ships shipped shipping",
    "submit": "submits submitted submitting",
    "marry": "marries married",
    "sign up": "signs up signed up signing up",
    "hand in": "hands in handed in handing in",
    "take up": "takes up took up taken up taking up",
    "move out": "moves out moved out moving out",
    "bear": "born",
}
_REGULAR: Final = """
    live work move play learn use start join finish own switch change rent earn retire prefer like
    love hate avoid collect train volunteer practise practice visit book order apply pass fail
    deliver publish open close end cancel postpone arrive return promote hire replace rename repair
    paint plant graduate expect adopt manage measure cook bake dance climb row study call name enrol
    enroll register turn weigh share host trade ship receive test coach knit sew
""".split()  # noqa: SIM905  # as a list it takes many lines
# What a verb with its preposition tells of.
TOLD: Final = {
    "live in": "home", "live at": "home", "live near": "home", "move to": "home", "be from": "origin", "come from": "origin",
    "work at": "employer", "work for": "employer", "work as": "job", "teach at": "employer", "be at": "place", "be in": "place",
    "start at": "employer", "begin at": "employer", "finish at": "employer", "start as": "job", "begin as": "job", "be based in": "home", "be allergic to": "allergy", "be born in": "origin", "be born on": "birthday", "be called": "name", "be named": "name",
    "speak": "language", "learn": "learning", "study": "studies", "play": "hobby", "sing in": "hobby", "join": "member of", "drive": "car",
    "like": "likes", "love": "likes", "hate": "dislikes", "prefer": "prefers", "use": "uses", "have": "has", "own": "has", "get": "has",
    "buy": "has", "order": "has", "eat": "eats", "avoid": "avoids", "take": "takes", "sign up for": "course", "marry": "partner",
    "take up": "hobby", 
}  # fmt: skip
ENDING: Final = {
    "give up", "quit", "stop", "sell", "send back", "leave", "move out", "fall through", "cancel", "end", "lose", "finish",
}  # fmt: skip


def forms(lemma: str) -> set[str]:
    """Return the forms of a regular verb beside its plain one."""
    if lemma.endswith("e"):
        made = {f"{lemma}s", f"{lemma}d", f"{lemma[:-1]}ing"}
    elif lemma.endswith("y") and lemma[-2] not in "aeo":
        made = {f"{lemma[:-1]}ies", f"{lemma[:-1]}ied", f"{lemma}ing"}
    elif lemma.endswith(("s", "sh", "ch", "x")):
        made = {f"{lemma}es", f"{lemma}ed", f"{lemma}ing"}
    else:
        made = {f"{lemma}s", f"{lemma}ed", f"{lemma}ing"}
    return made


def _lemmas() -> dict[str, str]:
    found: dict[str, str] = {}
    for lemma in _REGULAR:
        found |= dict.fromkeys((lemma, *forms(lemma)), lemma)
    for lemma, others in _IRREGULAR.items():
        words = others.split()
        size = len(lemma.split())
        others_of = [" ".join(words[at : at + size]) for at in range(0, len(words), size)]
        ing = (
            [f"{lemma}ing"]
            if size == 1 and not any(one.endswith("ing") for one in others_of)
            else []
        )
        found |= dict.fromkeys((lemma, *others_of, *ing), lemma)
    return found


LEMMA: Final = _lemmas()
LASTING: Final = frozenset(
    {
        "be",
        "have",
        "move",
        "start",
        "begin",
        "join",
        "switch",
        "buy",
        "get",
        "marry",
        "adopt",
        "rename",
        "call",
        "sign up",
        "take up",
        "order",
        "grow",
        "bear",
        "raise",
        "replace",
        "choose",
        "pick",
        "settle",
        "opt",
        "hire",
        "rent",
        "lease",
        "install",
        "inherit",
        "found",
        "register",
        "enrol",
        "enroll",
        "open",
        "retire",
        "promote",
        "divorce",
        "qualify",
        "graduate",
        "elect",
        "appoint",
        "relocate",
        "resign",
        "subscribe",
        "build",
        "plant",
        "upgrade",
        "swap",
    }
)
KEPT_UP: Final = frozenset(
    {
        "live",
        "work",
        "learn",
        "study",
        "train",
        "teach",
        "play",
        "sing",
        "take",
        "retire",
        "expect",
        "run",
        "manage",
        "lead",
        "rent",
        "eat",
        "come",
        "leave",
        "share",
    }
)


def s_form(lemma: str) -> str:
    """Return what stands behind "she": "tries"."""
    first, _, rest = lemma.partition(" ")
    if first.endswith("y") and first[-2] not in "aeo":
        made = f"{first[:-1]}ies"
    else:
        made = f"{first}es" if first.endswith(("s", "sh", "ch", "x", "o")) else f"{first}s"
    return f"{made} {rest}".strip()
