"""A `.sql` segment: one SELECT of contact ids. Its words are read one by one, and only what is known to read is let in.

A list of forbidden words would miss the next function that writes; a list of allowed functions misses nothing.
The same text also runs inside `INSERT … SELECT`, where no read-only transaction protects the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vinculo.errors import did_you_mean, nearest

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<cast>::)
      | (?P<parameter>:[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>[^\W\d]\w*)
      | (?P<symbol>[(),.;+*/%<>=!|&~\[\]-])
      | (?P<strange>.)""",
    re.VERBOSE | re.DOTALL,
)
PARAMETERS = ("now", "day", "hour", "today")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRITES = _words(
    "insert update delete merge create drop alter attach detach pragma vacuum into copy call do set lock grant "
    "revoke truncate execute prepare listen notify begin commit rollback savepoint reindex analyze share"
)
#: Words that may stand before a bracket without being functions.
_KEYWORDS = _words(
    "select from where and or not in exists any all some as on using when then else case between like ilike "
    "union except intersect over filter by values join distinct having limit offset with materialized within "
    "group is partition rows range order lateral"
)
_FUNCTIONS = _words(
    "count sum min max avg total abs round ceil ceiling floor power sqrt mod sign coalesce nullif ifnull iif "
    "greatest least lower upper length char_length substr substring trim ltrim rtrim replace instr strpos "
    "position concat cast row_number rank dense_rank ntile percent_rank cume_dist lag lead first_value "
    "last_value nth_value date datetime strftime julianday extract to_char date_trunc json_extract json_type "
    "jsonb_typeof jsonb_extract_path_text percentile_cont percentile_disc string_agg group_concat array_agg "
    "bool_and bool_or bigint integer text real numeric varchar decimal"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word, text or sign of it, and where it begins."""

    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "word" else ""


class _Wrong(Exception):
    def __init__(self, token: Token, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.token, self.message, self.remedy = token, message, remedy


def query_problems(sql: str) -> list[tuple[int, int, str, str]]:
    """Return (line, column, message, remedy) for everything that keeps *sql* from being one SELECT that only reads."""
    every = list(tokens_of(sql))
    nested = [token for token in every if token.text.startswith("/*") and "/*" in token.text[2:]]
    tokens = [token for token in every if token.kind != "space"]
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens or tokens[0].word not in {"select", "with"}:
        place = _place(sql, tokens[0].start if tokens else 0)
        return [(*place, "a segment is one SELECT", "Begin with SELECT or WITH.")]
    wrong = [_Wrong(token, "a comment within a comment cannot stand", "Use `--`.") for token in nested]
    wrong += [*_shape(tokens), *(one for number in range(len(tokens)) for one in _look(tokens, number))]
    return [(*_place(sql, one.token.start), one.message, one.remedy) for one in wrong]


def tokens_of(sql: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(sql):
        yield Token(str(found.lastgroup), found[0], found.start())


def _place(sql: str, at: int) -> tuple[int, int]:
    return sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at)


def _look(tokens: list[Token], number: int) -> Iterator[_Wrong]:
    """Judge one token by itself and its neighbours."""
    token = tokens[number]
    following = tokens[number + 1] if number + 1 < len(tokens) else Token("end", "", token.start)
    if token.text == ";":
        yield _Wrong(token, "a segment is one statement", "Take away what stands after `;`.")
    elif token.kind == "strange":
        yield _Wrong(token, f"`{token.text[:20]}` cannot stand in a segment", "Quote texts with '…', names with \"…\".")
    elif token.kind == "parameter" and token.text[1:] not in PARAMETERS:
        yield _Wrong(token, f"there is no parameter `{token.text}`", did_you_mean(token.text[1:], PARAMETERS))
    elif token.word in _WRITES:
        yield _Wrong(
            token, f"`{token.text}` has no place in a segment: it only reads", 'Quote a column of that name: "…".'
        )
    elif token.kind == "word" and following.kind == "string" and following.start == token.start + len(token.text):
        yield _Wrong(token, f"`{token.text}'…'` is a text of one database only", "Write '…' alone.")
    elif token.kind in {"word", "quoted"} and following.text == "(" and not _may_call(tokens, number):
        yield _Wrong(token, f"the function `{token.text}` is not allowed in a segment", _function_remedy(token))


def _function_remedy(token: Token) -> str:
    if nearest(token.text.lower(), _FUNCTIONS):
        return did_you_mean(token.text.lower(), _FUNCTIONS)
    return "For the time of the question write `:now` (microseconds) or `:today`."


def _may_call(tokens: list[Token], number: int) -> bool:
    """A known function, a keyword, or the name of a WITH query or table alias with its columns."""
    token = tokens[number]
    if token.word in _FUNCTIONS or token.word in _KEYWORDS:
        return True
    before = tokens[number - 1].word if number else ""
    return before in {"with", "recursive"} or (before == "as" or _names_query(tokens, number))


def _names_query(tokens: list[Token], number: int) -> bool:
    """`, name (columns) AS (`"""
    depth = 0
    for place in range(number + 1, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            after = tokens[place + 1 : place + 3]
            return [token.text.lower() for token in after] == ["as", "("]
    return False


def _shape(tokens: list[Token]) -> Iterator[_Wrong]:
    """Brackets must close, and the outermost SELECT must ask for one column."""
    depth, selecting = 0, False
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0:
            yield _Wrong(token, "this bracket closes nothing", "Take it away.")
            return
        if depth == 0 and token.word in {"select", "from"}:
            selecting = token.word == "select"
        elif depth == 0 and selecting and token.text in {",", "*"} and not _multiplies(tokens, token):
            yield _Wrong(token, "a segment selects the contact's id alone", "Write `SELECT contact_id FROM …`.")
            return
    if depth:
        yield _Wrong(tokens[-1], "a bracket is opened and never closed", "Close it with `)`.")


def _multiplies(tokens: list[Token], token: Token) -> bool:
    before = tokens[tokens.index(token) - 1]
    return token.text == "*" and before.kind in {"number", "quoted", "parameter"}
