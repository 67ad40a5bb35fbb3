"""Bounces, complaints and automatic answers: Sisimai's, flufl.bounce's and SpamAssassin's mails."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

from bench.evidence.fetch import spam_assassin
from bench.evidence.row import CORPORA, Row
from vinculo.inbox import Mail, classify

_SISIMAI = CORPORA / "bounces" / "sisimai"


def gold(name: str) -> dict[str, Any]:
    """A file of gold."""
    found: dict[str, Any] = json.loads((CORPORA / "bounces" / name).read_text(encoding="utf-8"))
    return found


def sisimai() -> Iterator[tuple[Path, dict[str, bool], bytes]]:
    """Its bounces: the file, whether each recipient is hard, and the mail."""
    for name, entries in gold("sisimai-recipients.json").items():
        file = _SISIMAI / f"{name}.eml"
        if file.exists() and not name.startswith(("arf-", "rfc3834-")):
            yield file, {entry["recipient"].lower(): entry["hard"] for entry in entries}, file.read_bytes()


def _named(mail: Mail, wanted: dict[str, bool]) -> dict[str, bool]:
    """Recipients and whether they are hard; gold names now what we wrote, now where it was forwarded to."""
    return {
        (each.original if each.original.lower() in wanted else each.address).lower(): each.hard
        for each in mail.recipients
    }


def recipients() -> list[Row]:
    """Who did not get it, and whether for good; the same on copies with CRLF."""
    found: Counter[str] = Counter()
    crlf = 0
    for _, wanted, raw in sisimai():
        mail = classify(raw)
        got = _named(mail, wanted)
        both = wanted.keys() & got.keys()
        found["wanted"] += len(wanted)
        found["found"] += len(both)
        found["extra"] += len(got.keys() - wanted.keys())
        found["agree"] += sum(wanted[address] == got[address] for address in both)
        found["soft"] += sum(not wanted[address] for address in both)
        found["hardened"] += sum(got[address] and not wanted[address] for address in both)
        found["rival"] += len(wanted.keys() & _flufl(raw))
        copy = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        crlf += _named(classify(copy), wanted) != got
    rival = f"flufl.bounce {found['rival'] / found['wanted']:.1%}, measured here"
    corpus, both_words = "Sisimai", found["found"]
    return [
        Row("bounce recipients", corpus, found["found"], found["wanted"], 0.95 * found["wanted"], rival=rival),
        Row("recipients too many", corpus, found["extra"], 0, 6, most=True, rival="flufl.bounce 31"),
        Row("read otherwise with CRLF", corpus, crlf, 0, 0, most=True),
        Row("hard or soft right", corpus, found["agree"], both_words, 0.92 * both_words),
        Row(
            "soft called hard",
            corpus,
            found["hardened"],
            found["soft"],
            0.02 * found["soft"],
            most=True,
            rival="flufl.bounce 300 of 402",
        ),
    ]


def _flufl(raw: bytes) -> set[str]:
    from flufl.bounce import all_failures

    try:
        temporary, permanent = all_failures(message_from_bytes(raw))
    except Exception:  # noqa: BLE001 - it raises on some mails: then it finds nothing
        return set()
    return {address.decode("latin-1").lower() for address in temporary | permanent}


def automatic() -> list[Row]:
    """Bounces that also call themselves automatic are bounces; automatic answers are no replies."""
    both = [classify(raw).kind == "bounce" for _, _, raw in sisimai() if b"auto-replied" in raw]
    answers = [classify(file.read_bytes()).kind == "auto_reply" for file in (CORPORA / "auto-replies").iterdir()]
    reports = [classify(file.read_bytes()).kind in ("complaint", "unsubscribe") for file in _SISIMAI.glob("arf-*")]
    return [
        Row("bounces that say auto-replied", "Sisimai", sum(both), len(both), len(both)),
        Row("automatic answers", "auto-replies", sum(answers), len(answers), 9),
        Row("complaints", "Sisimai arf-*", sum(reports), len(reports), len(reports)),
    ]


def flufl() -> list[Row]:
    """The addresses in flufl.bounce's own mails, and whether they are failed or delayed."""
    found: Counter[str] = Counter()
    for name, told in gold("flufl-expected.json").items():
        mail = classify((CORPORA / "bounces" / "flufl" / name).read_bytes())
        final, passing = ({address.lower() for address in told[kind]} for kind in ("permanent", "temporary"))
        got: dict[str, set[str]] = {"failed": set(), "delayed": set()}
        for each in mail.recipients:
            wrote = each.original.lower()
            got.setdefault(each.action, set()).add(wrote if wrote in final | passing else each.address.lower())
        every = got["failed"] | got["delayed"]
        found["found"] += len(every & (final | passing))
        found["wanted"] += len(final | passing)
        found["extra"] += len(every - final - passing)
        found["mails"] += 1
        found["exact"] += (got["failed"], got["delayed"]) == (final, passing)
    corpus = "flufl.bounce"
    return [
        Row("bounce recipients", corpus, found["found"], found["wanted"], 131, rival="flufl.bounce 133, on its own"),
        Row("recipients too many", corpus, found["extra"], 0, 1, most=True),
        Row("failed or delayed exact", corpus, found["exact"], found["mails"], 113),
    ]


#: Reports of a failed delivery that lie in SpamAssassin's ham, read by us one by one: they are no false bounces.
TRUE_BOUNCES = frozenset({"01436.", "01507.", "01542.", "01304.", "01311."})


def ordinary() -> list[Row]:
    """Ordinary mail is no bounce, nothing raises, and none takes long."""
    files = [*spam_assassin()]
    if not files:
        return []
    wrong = unread = 0
    slowest = 0.0
    for file in files:
        raw = file.read_bytes()
        began = time.process_time()
        kind = classify(raw).kind
        slowest = max(slowest, time.process_time() - began)
        ham = "ham" in file.parent.name and file.name[:6] not in TRUE_BOUNCES
        wrong += ham and kind == "bounce"
        unread += kind == "unparsable"
    corpus = f"SpamAssassin, {len(files):,} mails"
    return [
        Row("false bounces", corpus, wrong, 0, 0, most=True, rival="flufl.bounce 16"),
        Row("exceptions or given up", corpus, unread, 0, 0, most=True, rival="flufl.bounce 15, stdlib 27"),
        Row("slowest mail", corpus, slowest * 1e3, 0, 250, most=True, unit="ms CPU", rival="stdlib 2,700 ms"),
    ]


def malformed() -> list[Row]:
    """Mails that are broken by design."""
    files = sorted((CORPORA / "bounces" / "malformed").iterdir())
    given_up = sum(classify(file.read_bytes()).kind == "unparsable" for file in files)
    others = sorted((CORPORA / "bounces" / "not-bounces").glob("is-not-bounce-*"))
    called = sum(classify(file.read_bytes()).kind == "bounce" for file in others)
    return [
        Row("exceptions or given up", f"malformed, {len(files)} mails", given_up, 0, 0, most=True),
        Row("false bounces", f"not-bounces, {len(others)} mails", called, 0, 0, most=True),
    ]
