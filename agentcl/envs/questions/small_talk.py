"""What stands between the things worth keeping: requests with their replies, of which nothing need be kept."""

from __future__ import annotations

from typing import Final

REQUESTS: Final = (
    ("How do I get a wax stain out of a tablecloth?", "Scrape it off cold, then iron it between sheets of paper."),
    ("Can you word a short thank-you note?", '"Thank you, it was a lovely evening and we all felt at home."'),
    ("What goes well with lentils?", "Roasted carrots, a spoon of vinegar and plenty of parsley."),
    ("Why does my bread not rise?", "The water may be too cold, or the yeast too old."),
    ("How long do hard-boiled eggs keep?", "About a week in the fridge, in their shells."),
    ("Give me a name for a quiz team.", '"The Last Resort" is short and easy to shout.'),
    ("How do I descale a kettle?", "Half vinegar, half water, boil, wait half an hour, rinse twice."),
    ("What is a good opening line for a toast?", "Begin with one small scene that everybody there remembers."),
    ("How often should one water a cactus?", "Every three weeks in summer, hardly at all in winter."),
    ("Explain compound interest in a sentence.", "Interest is paid on earlier interest, so the sum grows ever faster."),
    ("Which way do I hang a hammock?", "At knee height, with the ropes at about thirty degrees."),
    ("What can I do about a squeaky door?", "A drop of oil or some graphite on the hinge pin."),
    ("Find me a rhyme for 'winter'.", '"Splinter" is close, and "printer" if it may be silly.'),
    ("How do I fold a fitted sheet?", "Tuck the corners into each other, then fold it as a square."),
    ("Is it fine to freeze cooked rice?", "Yes, if it is cooled quickly and eaten within a month."),
    ("What does 'pro rata' mean?", "In proportion: a half share of time gets a half share of the sum."),
    ("How do I calm down before a talk?", "Breathe out longer than in, and learn the first sentence by heart."),
    ("Which side of foil goes outside?", "It makes no difference, the shine comes from the rolling."),
    ("Make this kinder: 'You are late again.'", '"I was worried when you were not there yet."'),
    ("How do I sharpen a peeler?", "Draw the blade through folded sandpaper a few times."),
    ("Does honey go off?", "Hardly ever, a closed jar keeps for years."),
    ("How do I get two cars out of an icy drive?", "Sand under the driven wheels, second gear, little throttle."),
    ("What is the plural of 'octopus'?", '"Octopuses" is safe.'),
    ("Suggest a board game for four.", "Something short with bidding, so that nobody waits long."),
)  # fmt: skip
REQUESTS_HELD_OUT: Final = (
    ("My zip is stuck, what now?", "Rub a candle along the teeth and work it gently both ways."),
    ("Quick supper from eggs and leeks?", "Soften the leeks in butter, pour in the eggs, finish under the grill."),
    ("What's the trick for flat pancakes?", "Rest the batter for twenty minutes and keep the pan only medium hot."),
    ("How does one prune lavender?", "After flowering, down to just above the woody part."),
    ("Help, my screen is too bright at night.", "Turn on the night mode and dim the lamp behind you as well."),
    ("A polite way to say no to a party?", '"How kind of you to ask, I cannot make it this time."'),
    ("Can one wash trainers?", "By hand, with the laces out, and never in the dryer."),
    ("What do I do with stale bread?", "Crumbs, dumplings or a bread salad."),
    ("How far apart do I plant leeks?", "A hand's width in the row, two between the rows."),
    ("What's a limerick's rhyme scheme?", "Lines one, two and five rhyme, and so do three and four."),
)  # fmt: skip
SHORT_REPLIES: Final = (
    "Noted.",
    "I see.",
    "Thanks for telling me.",
    "All right.",
    "Good to know.",
    "Understood.",
)
REJECTED: Final = (
    "No, that's not me.",
    "No, wrong guess.",
    "No, nothing of the sort.",
    "Not at all, just curious.",
)
