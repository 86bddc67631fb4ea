"""Any verb: its lemma by its form, and whether what it tells of is worth keeping.

`verbs.py` names what some verbs tell of. Here the others are told apart: those of thinking and speaking, which say nothing
of how things are, and those that can stand behind a noun.
"""

from __future__ import annotations

from typing import Final

from agentcl.statements.english.verbs import LEMMA, forms

# Past and participle by lemma, of those that `verbs.py` does not have.
_IRREGULAR: Final = {
    "say": "said", "tell": "told", "think": "thought", "know": "knew known", "mean": "meant", "feel": "felt", "hear": "heard",
    "see": "saw seen", "forget": "forgot forgotten forgetting", "read": "reads", "write": "wrote written writing", "understand": "understood",
    "get": "got gotten getting",
    "go": "goes went gone going", "sit": "sat sitting", "stand": "stood", "hold": "held", "give": "gave given giving",
    "put": "puts putting", "set": "sets setting", "cut": "cuts cutting", "find": "found", "spend": "spent", "sleep": "slept",
    "feed": "fed", "fall": "fell fallen", "bring": "brought", "catch": "caught", "choose": "chose chosen choosing",
    "draw": "drew drawn", "lend": "lent", "lay": "laid", "lie": "lies lay lain lying", "rise": "rose risen rising",
    "shut": "shuts shutting", "swear": "swore sworn", "wake": "woke woken waking", "throw": "threw thrown", "hit": "hits hitting",
    "hurt": "hurts", "let": "lets letting", "show": "showed shown", "steal": "stole stolen", "beat": "beaten", "bite": "bit bitten",
    "freeze": "froze frozen freezing", "dig": "dug digging", "shoot": "shot", "split": "splits splitting", "spread": "spreads",
    "bet": "bets betting", "burn": "burnt burned", "deal": "dealt", "fight": "fought", "hang": "hung", "sweep": "swept",
    "swap": "swaps swapped swapping", "plan": "plans planned planning", "fit": "fits fitted fitting", "chat": "chats",
    "commit": "commits committed committing", "refer": "refers referred referring", "transfer": "transfers transferred transferring",
    "travel": "travels travelled traveled travelling traveling", "jog": "jogs jogged jogging", "trim": "trims trimmed trimming",
    "shop": "shops shopped shopping", "step": "steps stepped stepping", "trip": "trips tripped tripping",
}  # fmt: skip
# These stand behind a noun: "the pumps people pay 8 cents".
_REGULAR: Final = """
    accept add agree announce answer appoint approve arrange assist attend award bark base belong block board boil borrow breed
    brew bring calve camp care carry change charge chase check claim clean collect commute complete confirm contain continue
    convert cover cross cultivate cure date decline deliver deposit design develop die diagnose direct discharge divorce donate
    double edit elect email employ enter examine expire explain extend farm film fire fix follow found free gain graft grade
    guide hand handle harvest hatch head heal heat host hunt import include increase inherit inspect install insure invest
    invite issue judge keep kick land last launch lease lecture license lift limit list load lock mail mark match mend mentor
    mind miss mix mow need note nurse obtain occupy offer operate organise organize oversee pack park perform phone pick pilot
    place plaster plough plow post pour prepare prescribe present press print process produce propose provide prune pull
    push qualify raise reach recover reduce refund refuse relocate remain remove renew reopen report represent require
    research reserve resign restore resume return review roast roll rule sail save schedule score seat separate serve settle
    shift shorten sign sleep smoke sort sponsor stay stock store supervise supply support suspend swap tend ticket total tour
    trade translate transport treat tune upgrade vote wait walk wash watch water welcome widen work wrap
""".split()  # noqa: SIM905  # as a list it takes many lines
# Of these nobody asks later what they say: thinking, feeling, speaking, wishing. That couples part is read elsewhere. With a modal verb nothing is so.
MENTAL: Final = frozenset(
    """
    think believe guess hope wish want need know mean suppose assume wonder feel look sound seem appear say tell ask reply
    mention remember forget understand see hear notice worry bother care try help thank appreciate apologise apologize swear
    promise bet doubt imagine expect dream complain joke laugh smile cry let call mind matter please like love hate read
    check explain suggest agree figure realise realize consider deserve enjoy miss fear trust dare figure
    depend talk speak chat discuss answer google search type paste write draft split part separate
    could should would shall may might must ought
""".split()  # noqa: SIM905  # as a list it takes many lines
)


def _others() -> dict[str, str]:
    found: dict[str, str] = {}
    for lemma in _REGULAR:
        found |= dict.fromkeys((lemma, *forms(lemma)), lemma)
    for lemma, others in _IRREGULAR.items():
        made = {f"{lemma}s", f"{lemma}ing"} if lemma[-1] not in "ey" else {f"{lemma}s"}
        found |= dict.fromkeys((lemma, *made, *others.split()), lemma)
    return found


_LEMMA: Final = {**_others(), **LEMMA}
# Forms that can only be verbs behind a noun: not the plain one.
FINITE: Final = frozenset(
    form for form, lemma in _LEMMA.items() if form != lemma and not form.endswith("ing")
)


def lemma_of(form: str) -> str:
    """Return the plain form of a verb; of one that no list has, by its ending."""
    if form in _LEMMA:
        return _LEMMA[form]
    for ending, instead in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("s", "")):
        stem = form.removesuffix(ending) + instead
        if form.endswith(ending) and len(stem) > 2:
            if stem[-1:] == stem[-2:-1] and stem[-1] not in "lsz":
                return stem[:-1]  # "stopped"
            return (
                f"{stem}e"
                if stem.endswith(("at", "iv", "ag", "uc", "ak", "ov", "ur", "id", "is", "iz"))
                else stem
            )
    return form
