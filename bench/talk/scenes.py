"""The talks that are measured: who speaks in them, how often, and what."""

from collections.abc import Mapping, Sequence

from dev.voices.speakers import ROBOT
from dev.voices.talks import TalkPlan

TUNING: Sequence[TalkPlan] = (
    TalkPlan(("june", "carlo"), 16),
    TalkPlan(("june", "irina"), 16),
    TalkPlan(("awb", "rms"), 16),
    TalkPlan(("irina", "awb", "carlo"), 16),
    TalkPlan(("june", "irina", "awb", "rms"), 16),
)
"""Other voices than those of the scenes."""
VOICES = ("slt", "kal16", "allison", "menardi", "armelle")

VULGAR: Mapping[str, str] = {
    "wah lao why is the queue so long today": "walao",
    "wah lau he never told me about it": "walao",
    "wa lao eh the bus is so slow again": "walao",
    "wah lao the price went up once more": "walao",
    "chee bye who took my umbrella": "cheebai",
    "do not be such a chee bye lah": "cheebai",
    "chee bai the printer is broken again": "cheebai",
    "lan jiao i am not going there again": "lanjiao",
    "he is a lan jiao sia": "lanjiao",
    "lan chiao the train has left without us": "lanjiao",
}
"""Sentences with one vulgar word each, spelled so that a synthesiser of English says it."""
NEARLY_VULGAR: Sequence[str] = (
    "see you at lunch hour near the station",
    "the lunch hour is over and we have to go back",
    "that was a cheap buy for a new bicycle",
    "a cheap buy is not always a good one",
    "we waited a while up there on the roof",
    "it takes a while up to an hour on sundays",
    "wait a while ah here he comes",
    "she asked me to lunch our boss was there too",
    "he waved a cheap bye to the children",
    "the wall is low and the gate is open",
    "see ya tomorrow at the harbour",
    "she shook my hand and said she is ok",
)
"""Plain English that sounds like one of them."""
MISLEADING_VULGAR: Mapping[str, str] = {
    "chee bye this road is jammed": "cheebai",
    "he is one big chee bye": "cheebai",
    "where is that chee bye now": "cheebai",
    "chee bye you owe me money": "cheebai",
    "my chee bye boss called again": "cheebai",
    "lan jiao who wrote this": "lanjiao",
    "some lan jiao cut my queue": "lanjiao",
    "lan jiao it is raining": "lanjiao",
    "you look like a lan jiao": "lanjiao",
    "stop the lan jiao talk": "lanjiao",
    "wah lao this is heavy": "walao",
    "wah lao you win lah": "walao",
    "so wah lao we missed it": "walao",
    "wah lao the queue is long": "walao",
    "no wah lao please": "walao",
}
MISLEADING: Sequence[str] = (
    "please buy a cheap bike",
    "she bought each by herself",
    "teachers bike to school",
    "he will teach me by monday",
    "the church by the sea is old",
    "which bible do you read",
    "a beach bar is open",
    "each buyer signed the list",
    "she buys cheap eyeglasses",
    "watch by the window",
    "lunch is at an hour past noon",
    "land your plane here",
    "can you lend joe some cash",
    "the launch yard is full",
    "an angel out of heaven",
    "he will change your mind",
    "the orange juice is cold",
    "lynn chose the blue one",
    "line john up please",
    "the lounge out back is free",
    "the wall loudly cracked",
    "water loud and clear",
    "we wallow out of habit",
    "the law outweighs it",
    "a walnut lay there",
    "what lousy weather",
    "i saw loud crowds",
    "wander along the coast",
    "was laura out",
    "why allow it at all",
)
"""Sentences that nobody had looked at when the sounds of words were chosen: vulgar ones, and plain English that has
their phones, or nearly."""
_LISTED = (*VULGAR, *NEARLY_VULGAR)

SCENES: Mapping[str, TalkPlan] = {
    "2 voices": TalkPlan(VOICES[:2], 14),
    "3 voices": TalkPlan(VOICES[:3], 18),
    "4 voices": TalkPlan(VOICES[:4], 24),
    "4 voices, armelle for menardi": TalkPlan((*VOICES[:3], "armelle"), 24),
    "5 voices": TalkPlan(VOICES, 30),
    "3 voices, noise 15 dB below": TalkPlan(VOICES[:3], 18, noise=15),
    "3 voices, every 3rd turn overlaps": TalkPlan(VOICES[:3], 18, overlap=0.33),
}
VULGAR_SCENES: Mapping[str, TalkPlan] = {
    "vulgar and nearly so": TalkPlan(("slt", "kal16", "rms"), 44, sentences=_LISTED),
    "vulgar and nearly so, a robot too": TalkPlan(("awb", ROBOT), 44, sentences=_LISTED),
    "vulgar and nearly so, noise 15 dB below": TalkPlan(("slt", "kal16", "rms"), 44, noise=15, sentences=_LISTED),
}
