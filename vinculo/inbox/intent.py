"""What a contact wants who writes back, and in which tone: small word lists in Portuguese, Spanish and English.

`stop` is held to a standard of its own: any reasonable wording counts (47 CFR 64.1200(a)(10)), and no text that only
looks like it: "não pare de mandar", "vou sair às 5", "end of story".
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import accumulate
from tomllib import loads

#: In the order in which they are told; a text may have several.
INTENTS = ("stop", "complaint", "moved", "price", "question", "thanks")
#: People say what they want soon. A longer text is not read to its end.
_LONGEST = 2000
#: What may stand around a keyword and changes nothing: "STOP please", "PARE, por favor", "sair agora".
_POLITE = re.compile(
    r"\b(please|pls|plz|thanks|thank you|now|immediately|por favor|pf|pfv|obrigad[oa]|agora|ja|gracias|ahora|ya"
    r"|ola|oi|hola|hi|hello|bom dia|boa tarde|buenos dias|buenas tardes|reply|all|todos|tudo)\b"
)
_CLAUSES = re.compile(r"[.,;:!?\n()…–—-]+")
#: What was denied before one of these is another matter.
_SENTENCES = re.compile(r"[.!?…]+(?=\s|$)|\n\s*\n")
_PART = re.compile(r"<(\w+)>")
#: A negation right before it turns a wish to stop into its contrary; so does a question whether we have stopped.
_NEGATED = re.compile(
    r"\b(nao|nunca|jamais|no|not|never|dont|don t|do not|nem|sin|sem|without|jamas|ni"
    r"|(did|have) you|pararam|deixaram|por que)( \w+){0,2} $"
)


def intents(text: str) -> tuple[str, ...]:
    """Return what *text* asks for, in the order of `INTENTS`; empty when nothing is recognised."""
    said = plain(text)
    found = {name for name in INTENTS[1:] if _pattern(name).search(said)}
    if "?" in text[:_LONGEST]:
        found.add("question")
    if wants_out(text):
        found.add("stop")
    return tuple(name for name in INTENTS if name in found)


def wants_out(text: str) -> bool:
    """Tell whether *text*, a whole message on any channel, asks us not to write any more."""
    said = plain(text)
    if _bare(said) in _listed("keywords") or _stops(text):
        return True
    clauses = [_bare(plain(clause)) for clause in _CLAUSES.split(text[:_LONGEST])]
    if any(_pattern("clauses").fullmatch(clause) for clause in clauses):
        return True
    return bool(_pattern("about").search(said)) and not _listed("firm").isdisjoint(clauses)


def wants_out_everywhere(text: str) -> bool:
    """Tell whether *text* means every channel, not only the one that it came by."""
    return bool(_pattern("everywhere").search(plain(text)))


def tone(text: str) -> str:
    """Return `positive`, `negative` or `neutral`: which words prevail."""
    said = plain(text)
    good, bad = (sum(1 for _ in _pattern(name).finditer(said)) for name in ("good", "bad"))
    denied = sum(1 for _ in _denied(said, "good"))  # "not good" is no praise, but a reproach
    good, bad = good - denied, bad + denied
    return "neutral" if good == bad else "positive" if good > bad else "negative"


def plain(text: str) -> str:
    """Return *text* in small letters without accents, marks and emoji; words are set apart by single blanks."""
    letters = unicodedata.normalize("NFKD", text[:_LONGEST].casefold())
    kept = "".join(each for each in letters if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9$]+", " ", kept).strip()


def _stops(text: str) -> bool:
    sentences = [said for each in _SENTENCES.split(text[:_LONGEST]) if (said := plain(each))]
    whole, begins = " ".join(sentences), [0, *accumulate(len(each) + 1 for each in sentences)]

    def denied(at: int) -> bool:
        return bool(_NEGATED.search(whole[begins[bisect(begins, at) - 1] : at]))

    wishes = (found.start() for found in _pattern("stop").finditer(whole))
    return not all(map(denied, wishes)) or bool(_pattern("stop_negated").search(whole))


def _bare(said: str) -> str:
    """Return *said* without what is only polite."""
    return re.sub(r" +", " ", _POLITE.sub(" ", said)).strip()


def _denied(said: str, name: str) -> Iterator[re.Match[str]]:
    return (found for found in _pattern(name).finditer(said) if _NEGATED.search(said[: found.start()]))


@cache
def _words() -> dict[str, list[str]]:
    said = loads((files(__package__) / "intents.toml").read_text("utf-8"))
    parts = said.pop("parts")
    return {name: [_PART.sub(lambda found: parts[found[1]], line) for line in lines] for name, lines in said.items()}


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(_words()[name])


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(_words()[name]) + r")\b")
