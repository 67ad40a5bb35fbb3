"""What somebody wrote, without the quoted message and without the signature.

Line by line and bounded: no expression here sees more than a few hundred characters at once, so hostile text costs
nothing (three libraries for this take seconds for 40 KB).
"""

from __future__ import annotations

import re

_MAX_LINES = 5000
_LINE = 400
_WROTE = r"wrote|writes|escreveu|escribi[oó]|a [eé]crit|schrieb|ha scritto|schreef|skrev|написал\w*"
r"|пишет|kirjoitti|napisa[lł]\w*|geschreven|yazdı|写道|написав"
_LEADS = (
    r"On|Em|El|Le|Am|Il|Op|Den|Dne|Dnia|W dniu|Na|Пн|Вт|Ср|Чт|Пт|Сб|Вс|No dia|Date|ons|tor|fre"
    r"|man|tir|lør|søn|ma|ti|ke"
    r"|to|pe|la|su"
)
_WROTE_WORD = re.compile(rf"\b(?:{_WROTE})", re.IGNORECASE)
_LEAD = re.compile(rf"(?:{_LEADS})\b", re.IGNORECASE)
_SPLITTER = re.compile(
    r"^[ \t>*]*(?:-{2,}\s*(?:original|forwarded|reply|mensagem|mensaje|message|ursprüngliche"
    r"|messaggio|oorspronkelijk|opprinnelig|ursprungligt|oprindelig|alkuperäinen|исходное"
    r"|пересыла)"
    r".{0,60}|-{3,}\s*on .{4,200}(?:wrote).{0,10}-{3,}|_{20,}|-{20,}|begin forwarded message:?"
    r"|mensagem encaminhada:?)[ \t*]*$",
    re.IGNORECASE,
)
#: The first line of a header block: From in the languages of the mail programs.
_FROM = re.compile(
    r"^[ \t>]*[*_]*(?:from|de|von|da|van|fra|från|od|от|lähettäjä|expéditeur|remitente"
    r"|mittente|kimden)[ \t]*:[*_]*[ \t]*\S",
    re.IGNORECASE,
)
_NEXT = re.compile(
    r"^[ \t>]*[*_]*(?:sent|date|to|subject|cc|reply-to|enviad[oa](?: em)?|data|para|assunto"
    r"|fecha|asunto|envoyé|à|objet|gesendet|an|betreff|datum|inviato|a|oggetto|verzonden|aan"
    r"|onderwerp|sendt|til|emne|skickat|till|ämne|отправлено|кому|тема|дата|lähetetty"
    r"|vastaanottaja|aihe|päivä|päiväys)[ \t]*:",
    re.IGNORECASE,
)
#: What stands around a headline.
_MARKS = " \t>*_-"
#: A line that sets apart, and says nothing.
_RULER = re.compile(r"[ \t]*[=*_~#-]{3,}[ \t]*$")
_SIGNATURE = re.compile(
    r"^[ \t]*(?:--[ \t]?|—|__+|-{2,3}[ \t]*)$"
    r"|^[ \t]*(?:sent from (?:my|the|mail|outlook|yahoo|samsung)|sent with|sent via"
    r"|get outlook for|enviad[oa] (?:do|pelo|desde|a partir|de) "
    r"|envoyé (?:de|depuis) mon|von meine[mr]|inviato da|gesendet (?:mit|von|aus)|obter o outlook"
    r"|obtener outlook|отправлено с)\b.{0,80}$",
    re.IGNORECASE,
)


def reply_text(text: str) -> str:
    """Return what the sender of *text* wrote."""
    lines = [line.rstrip() for line in text.replace("\xa0", " ").split("\n")[:_MAX_LINES]]
    end = next((number for number in range(len(lines)) if _quote_starts(lines, number)), len(lines))
    kept = [line for line in lines[:end] if not line.lstrip().startswith(">")]
    end = next((number for number, line in enumerate(kept) if _SIGNATURE.match(line[:_LINE])), len(kept))
    kept = kept[:end]
    while kept and (not kept[-1].strip() or _RULER.match(kept[-1][:_LINE])):
        kept.pop()
    return "\n".join(kept).strip()


def _quote_starts(lines: list[str], number: int) -> bool:
    line = lines[number][:_LINE]
    if not line or line.isspace():
        return False
    if _SPLITTER.match(line) and not _all_after_is_blank(lines, number):
        return True
    if _FROM.match(line):
        return any(_NEXT.match(after[:_LINE]) for after in lines[number + 1 : number + 5])
    return any(_starts_headline(lines[number : number + count]) for count in _heights(lines, number))


def _starts_headline(lines: list[str]) -> bool:
    """Tell whether *lines* are one headline; not if it begins further down, below somebody's last words."""
    if not _is_headline(" ".join(lines)):
        return False
    rest = (" ".join(lines[place:]) for place in range(1, len(lines)))
    return not any(_LEAD.match(each.lstrip(_MARKS)) and _is_headline(each) for each in rest)


def _is_headline(line: str) -> bool:
    """Tell `On Tue, Ana <ana@x.com> wrote:`, and the same in languages that put the date or the name first."""
    line = line.strip(_MARKS)
    if not 8 < len(line) <= _LINE:
        return False
    ends, dated, named = line.endswith((":", "：")), bool(re.search(r"\d", line)), "@" in line
    wrote = _WROTE_WORD.search(line)
    if not wrote:
        return ends and "<" in line and named and bool(re.search(r"\d{4}", line))
    led = bool(_LEAD.match(line)) and wrote.start() > 4
    return (ends and (led or named or dated)) or (led and dated and named and len(line) - wrote.end() < 60)


def _all_after_is_blank(lines: list[str], number: int) -> bool:
    return not any(line.strip() for line in lines[number + 1 : number + 3])


def _heights(lines: list[str], number: int) -> range:
    """Mail programs fold a long headline into up to four lines; a blank line ends it."""
    height = 1
    while height < 4 and number + height < len(lines) and lines[number + height].strip():
        height += 1
    return range(1, height + 1)
