"""What people write back, in sentences of ours in Portuguese, Spanish and English: what they want, and who is away."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from bench.evidence.row import Row
from tests.unit.inbox.letters import letter
from vinculo.inbox import classify, intents, wants_out
from vinculo.inbox.intent import INTENTS

_OURS = Path(__file__).resolve().parents[2] / "tests" / "unit" / "inbox"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_OURS / name).read_text(encoding="utf-8"))


def wishes() -> list[Row]:
    """Who wants out is heard, and nobody else; of the other wishes the worst precision and recall."""
    file = _read("said.toml")
    said = [(text, set(group["wants"])) for group in file["said"] for text in group["texts"]]
    out = [wants_out(text) for text, wants in said if "stop" in wants]
    out += [wants_out(text) for group in file["missed"] for text in group["texts"]]
    friends = [wants_out(text) for text, wants in said if "stop" not in wants]
    friends += [wants_out(text) for group in file["lookalike"] for text in group["texts"]]
    figures = [_precision_and_recall(name, said) for name in INTENTS[1:]]
    corpus = f"{len(said)} sentences of ours, pt es en"
    return [
        Row("wishes to be let alone, heard", corpus, sum(out), len(out), 0.99 * len(out)),
        Row("others taken for one", "its false friends among them", sum(friends), 0, 0, most=True),
        Row("other intents, least precision", corpus, 100 * min(each[0] for each in figures), 0, 90, unit="%"),
        Row("other intents, least recall", corpus, 100 * min(each[1] for each in figures), 0, 90, unit="%"),
    ]


def _precision_and_recall(name: str, said: list[tuple[str, set[str]]]) -> tuple[float, float]:
    pairs = [(name in intents(text), name in wants) for text, wants in said if "stop" not in wants]
    both = sum(found and wanted for found, wanted in pairs)
    return both / sum(found for found, _ in pairs), both / sum(wanted for _, wanted in pairs)


def absences() -> list[Row]:
    """Automatic answers that no header tells, known by their words; the day of return, where it is clear."""
    mails = _read("absences.toml")
    found = [classify(letter(mail["text"], subject=mail["subject"])) for mail in mails["machine"]]
    persons = [classify(letter(mail["text"], subject=mail["subject"])) for mail in mails["person"]]
    days = [str(got.returns or "") == mail["returns"] for got, mail in zip(found, mails["machine"], strict=True)]
    wrong = sum(got.kind == "auto_reply" for got in persons)
    automatic = sum(got.kind == "auto_reply" for got in found)
    corpus = f"{len(found)} mails of ours, pt es en"
    return [
        Row("automatic answers by words alone", corpus, automatic, len(found), 0.9 * len(found)),
        Row("persons taken for machines", f"{len(persons)} mails of ours", wrong, 0, 0, most=True),
        Row("days of return, or rightly none", corpus, sum(days), len(days), 0.9 * len(days)),
    ]
