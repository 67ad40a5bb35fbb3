"""What a campaign of kind `survey` asks: the `survey:` part of its file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vinculo.fields import Name, Strict

#: Answers to a poll: fewer are no choice, more nobody reads.
FEWEST, MOST = 2, 10


class Choice(Strict):
    """An answer to a poll, as each language says it. *negative*: whoever chooses it hears from us."""

    name: Name
    title: dict[str, str] = Field(min_length=1)
    negative: bool = False


class Survey(Strict):
    """One question. An answer is a number: 0 to 10 (`nps`), 1 to 5 (`csat`), or the place of a choice (`poll`)."""

    kind: Literal["nps", "csat", "poll"] = "nps"
    #: The question on the page, by language; without it, the usual one of its kind.
    question: dict[str, str] = {}
    #: A list, since it is also kept in the ledger, and PostgreSQL keeps no order of names.
    choices: list[Choice] = []

    @model_validator(mode="after")
    def _fits(self) -> Survey:
        if self.kind == "poll" and not FEWEST <= len(self.choices) <= MOST:
            raise ValueError(
                f"a poll has {FEWEST} to {MOST} choices: `choices: [{{name: once, title: {{pt: Uma vez}}}}, "
                "{name: daily, title: {pt: Todo dia}}]`"
            )
        names = [one.name for one in self.choices]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two choices are called `{twice[0]}`: give each a name of its own")
        if self.kind == "poll" and not self.question:
            raise ValueError("a poll says what it asks: `question: {pt: …, en: …, es: …}`")
        if self.kind != "poll" and self.choices:
            raise ValueError(f"`choices` belong to `kind: poll`; {self.kind} has its scale")
        return self

    @property
    def answers(self) -> range:
        """The numbers that are an answer."""
        return {"nps": range(11), "csat": range(1, 6)}.get(self.kind, range(1, len(self.choices) + 1))

    def negative(self, answer: int) -> bool:
        """Whether whoever gives *answer* is unhappy with us: 0 to 6 of 10, 1 or 2 of 5, or a choice that says so."""
        if self.kind == "poll":
            return self.choices[answer - 1].negative
        return answer <= (6 if self.kind == "nps" else 2)

    def choice(self, answer: int) -> str:
        """The name of the choice that *answer* stands for; "" where answers are scores."""
        return self.choices[answer - 1].name if self.kind == "poll" else ""
