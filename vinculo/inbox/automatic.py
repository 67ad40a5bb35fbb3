"""Answers that no person wrote (RFC 3834, and those who have not read it), and when somebody says to be back.

Bounces are looked for before: many of them call themselves automatic answers too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from tomllib import loads

from vinculo.inbox.intent import plain
from vinculo.inbox.parse import Part

_DECLARED = (
    *("x-autoreply", "x-autorespond", "x-autoresponse", "x-mail-autoreply"),
    "x-ms-exchange-generated-message-source",
)
_PRECEDENCES = ("precedence", "x-precedence", "x-pom-x-auto-reply")
#: What stands in the subject of an automatic answer, in whatever mail program.
_SUBJECT = re.compile(
    r".{0,80}?\b(out of (the )?office|on (annual |parental |sick |maternity |paternity )?leave\b|on vacation|on holiday"
    r"|away from (the |my )?(office|e-?mail)|automatic reply|auto(matic|mated)?[- ]?(reply|response|responder|answer)"
    r"|resposta autom[aá]tica|mensagem autom[aá]tica|retorno autom[aá]tico|fora do escrit[oó]rio|aus[eê]ncia tempor"
    r"|aviso de aus[eê]ncia|aviso de f[eé]rias|estou de f[eé]rias|em f[eé]rias"
    r"|respuesta autom[aá]tica|mensaje autom[aá]tico|fuera de (la )?oficina|aviso de ausencia|de vacaciones"
    r"|abwesenheit|r[eé]ponse automatique|absence du bureau|vacation (reply|response|message|notice)|autoreply)"
    r"|\s*(auto|ooo)\s*:",
    re.IGNORECASE,
)
_ANSWERS = re.compile(r"(\s*\[[^\]]{1,40}\])*\s*(re|res|resp|rv|aw|sv)\s*:", re.IGNORECASE)
#: RFC 3834 §2: to these no program answers, whoever wrote them.
_NOBODY = re.compile(
    r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|nao-?responda|no-?responder|bounces?|owner-[^@]*|[^@]*-request)[+@]",
    re.IGNORECASE,
)
_LISTS = ("list-id", "list-unsubscribe", "list-post", "mailing-list", "x-apple-unsubscribe")


def is_automatic(mail: Part, text: str) -> bool:
    """Tell whether nobody wrote *mail*, whose words are *text*."""
    if _is_declared(mail):
        return True
    subject = mail.get("subject")[:200]
    # Who answers a notice of absence has it in the subject too: behind `Re:` it proves nothing.
    return bool(_SUBJECT.match(subject) and not _ANSWERS.match(subject)) or _reads_so(text)


def _is_declared(mail: Part) -> bool:
    """Tell whether *mail* says of itself that a program wrote it."""
    submitted = mail.get("auto-submitted").strip().lower()
    if submitted and not submitted.startswith("no"):
        return True
    if any(name in mail.headers for name in _DECLARED):
        return True
    return bool(re.search(r"auto[_-]?reply", "".join(map(mail.get, _PRECEDENCES)), re.IGNORECASE))


def _reads_so(text: str) -> bool:
    """Tell it from the words alone. A person who is away and asks for something is a person."""
    said = plain(text)
    if _pattern("itself").search(said):
        return True
    return "?" not in text and bool(_pattern("away").search(said) and _pattern("meanwhile").search(said))


def is_machine(mail: Part) -> bool:
    """Tell whether *mail* must never be answered by a program, though a person may have written it (RFC 3834 §2)."""
    if _is_declared(mail):  # a wish to be let alone may come from a program too
        return True
    if any(name in mail.headers for name in _LISTS) or mail.get("return-path").strip() == "<>":
        return True
    if mail.get("precedence").strip().lower() in {"bulk", "junk", "list"}:
        return True
    sender = mail.get("from")[:1000].rpartition("<")[2]
    return bool(_NOBODY.match(sender.strip()))


@cache
def _wordings() -> dict[str, list[str]]:
    return {
        name: list(lines) for name, lines in loads((files(__package__) / "automatic.toml").read_text("utf-8")).items()
    }


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(_wordings()[name]) + r")\b")


@cache
def _until() -> re.Pattern[str]:
    until, weekday = ("|".join(_wordings()[name]) for name in ("until", "weekday"))
    return re.compile(rf"\b(?:{until}) (?:(?:{weekday}) )?")


# ── until when ───────────────────────────────────────────────────────────────────────────────────────────────────
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "janeiro jan january enero ene", "fevereiro fev february feb febrero", "marco mar march marzo",
            "abril abr april apr", "maio mai may mayo", "junho jun june junio", "julho jul july julio",
            "agosto ago august aug", "setembro set september sep sept septiembre setiembre",
            "outubro out october oct octubre", "novembro nov november noviembre",
            "dezembro dez december dec diciembre dic",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th|o)? (?:de |of )?({_MONTH})\b(?: (?:de |del )?(\d{{4}})\b)?")
_MONTH_FIRST = re.compile(rf"({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?: (\d{{4}})\b)?")
_ISO = re.compile(r"(\d{4}) (\d{2}) (\d{2})\b")
_NUMBERS = re.compile(r"(\d{1,2}) (\d{1,2})(?: (\d{4}|\d{2}))?\b")
_ENGLISH = re.compile(r"until|till|through|back|return(?:ing|s)?\b|from")


def returns_on(text: str, sent: date) -> date | None:
    """Return the day on which the writer of an automatic answer says to be back, or the last of the absence.

    A hint, no fact. Numbers alone are day and month, and in English nothing unless it is clear which is which. Without
    a year it is the next such day after *sent*. None when there is none, or it is not within a year.
    """
    said = plain(text)
    found = [day for until in _until().finditer(said) for day in _dates(said[until.end() :], until[0], sent)]
    return max(found) if found else None


def _dates(after: str, until: str, sent: date) -> Iterator[date]:
    year, month, day = _read(after[:40], until)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return
    for guess in [year] if year else [sent.year, sent.year + 1]:
        try:
            found = date(guess, month, day)
        except ValueError:
            continue
        if sent <= found <= sent + timedelta(days=366):
            yield found
            return


def _read(after: str, until: str) -> tuple[int, int, int]:
    """Year (0: not said), month and day at the start of *after*; zeros when there is none."""
    if named := _ISO.match(after):
        return int(named[1]), int(named[2]), int(named[3])
    if named := _DAY_FIRST.match(after):
        return int(named[3] or 0), _MONTHS[named[2]], int(named[1])
    if named := _MONTH_FIRST.match(after):
        return int(named[3] or 0), _MONTHS[named[1]], int(named[2])
    if named := _NUMBERS.match(after):
        day, month, year = int(named[1]), int(named[2]), int(named[3] or 0)
        year += 2000 if 0 < year < 100 else 0
        if month > 12:
            day, month = month, day
        elif day <= 12 and day != month and _ENGLISH.match(until):
            return 0, 0, 0  # the tenth of December, or the twelfth of October?
        return year, month, day
    return 0, 0, 0
