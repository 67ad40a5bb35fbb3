"""plan/answers.yaml: who answers what contacts write, how soon, and what is answered at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from vinculo.fields import Duration, Name, Strict

#: What an answer is about: nothing that a contact says yes or no to. Whoever writes to us is answered.
TOPIC = "answer"
#: The campaigns under which the ledger keeps a person's answer, one that was given at once, and a confirmation.
BY_HAND, AT_ONCE, CONFIRMATION = "answer", "answer-at-once", "unsubscribed"
OURS = frozenset({BY_HAND, AT_ONCE, CONFIRMATION})
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


def _said(phrase: str) -> str:
    if sum(map(str.isalnum, phrase)) < 3:
        raise ValueError("a phrase needs three letters or more, else it would be found everywhere")
    return phrase


#: What is looked for in a text: a few words as people write them; case, accents and marks do not matter.
Phrase = Annotated[str, Field(max_length=100), AfterValidator(_said)]


class Hours(Strict):
    """When somebody is there to answer, on the company's clock; times are counted in these hours alone."""

    days: list[Day] = Field(["monday", "tuesday", "wednesday", "thursday", "friday"], min_length=1)
    from_: str = Field("09:00", alias="from", pattern=_TIME)
    to: str = Field("18:00", pattern=_TIME)

    @model_validator(mode="after")
    def _some_time(self) -> Hours:
        if self.from_ >= self.to:
            raise ValueError('`to` must be later than `from`: write for example `{from: "09:00", to: "18:00"}`')
        return self


class Target(Strict):
    """How soon a contact should have a person's first answer, and the matter its end."""

    first_response: Duration = timedelta(hours=8)
    resolution: Duration = timedelta(days=3)


class Desk(Strict):
    """Who answers about a topic, and how soon; what is not said is as for every other topic."""

    owner: str = ""
    target: Target | None = None


class Question(Strict):
    """A question that is answered at once: a text that has one of `phrases` gets `template`.

    With `intent` the text must also be understood so. A complaint, or a text that meets two questions, is a person's.
    """

    phrases: list[Phrase] = Field(min_length=1)
    template: Name
    intent: Literal["question", "price", "thanks", "moved"] | None = None
    topics: list[Name] = []


class Answers(Strict):
    """Who answers what contacts write, how soon, and what is answered at once."""

    owner: str = ""
    hours: Hours | None = None
    target: Target = Target()
    topics: dict[Name, Desk] = {}
    questions: dict[Name, Question] = {}

    def owner_of(self, topic: str) -> str:
        """Who answers about *topic* when neither the conversation nor the contact has an owner."""
        desk = self.topics.get(topic)
        return (desk.owner if desk else "") or self.owner

    def target_of(self, topic: str) -> Target:
        """How soon is soon enough for *topic*."""
        desk = self.topics.get(topic)
        return (desk.target if desk else None) or self.target
