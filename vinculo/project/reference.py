"""What the files say of one another: every name that is mentioned must be there, and fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vinculo import schedule, segment
from vinculo.errors import Problem, did_you_mean
from vinculo.project.answers import OURS, TOPIC
from vinculo.project.draft import Draft
from vinculo.project.lifecycle import USUAL, lifecycle_problems, mentions
from vinculo.project.ruling import policy_mentions, policy_problems
from vinculo.project.schema import Campaign, Journey
from vinculo.project.settings import FILE, Settings
from vinculo.project.yaml import Document

#: A rule about one of these is no misspelling, though no connector serves it yet.
_CHANNELS = {"email", "sms", "whatsapp", "telegram", "push", "voice", "post", "social"}
_Mention = tuple[tuple[Any, ...], str, str]
_HOMES = {
    "segment": "segments/",
    "template": "templates/",
    "topic": "plan/policy.yaml",
    "campaign": "plan/calendar/",
    "stage": "plan/lifecycle.yaml",
}


def check_references(draft: Draft, settings: Settings | None) -> None:
    """Note in *draft* the problems between files. Without *settings* nothing is said of channels."""
    checker = _Checker(draft, settings)
    for name, campaign in draft.campaigns.items():
        checker.campaign(draft.documents["campaign", name], campaign)
    for name, journey in draft.journeys.items():
        checker.journey(draft.documents["journey", name], journey)
    checker.policy()
    checker.answers()
    checker.lifecycle()
    checker.segments()


class _Checker:
    def __init__(self, draft: Draft, settings: Settings | None) -> None:
        self._draft, self._settings = draft, settings
        policy, objectives = draft.policy, draft.documents.get(("objectives", ""))
        self._known: dict[str, set[str] | None] = {
            "segment": draft.names["segment"],
            "template": draft.names["template"],
            "campaign": draft.names["campaign"] | draft.names["journey"],
            "topic": set(policy.topics) if policy else None,
            "objective": None if objectives and objectives.problems else set(draft.objectives),
            "channel": {*settings.channels, *_CHANNELS} if settings else None,
            "connector": set(settings.channels) if settings else None,
            "stage": self._stages(),
        }

    def _mentions(self, document: Document, mentions: Iterable[_Mention]) -> None:
        for path, kind, name in mentions:
            known = self._known[kind]
            if known is None or name in known:  # None: the file that holds the names is broken, and said so
                continue
            if kind == "connector":
                remedy = f'Name one under [channels] in {FILE}: `{name} = "module:Class"`. {did_you_mean(name, known)}'
                document.report(path, f"no connector serves the channel `{name}`", remedy)
            else:
                home = f" in {_HOMES[kind]}" if kind in _HOMES else ""
                document.report(path, f"there is no {kind} `{name}`{home}", did_you_mean(name, known))

    def _parts(self, document: Document, path: tuple[Any, ...], template: str, channels: Iterable[str]) -> None:
        made, settings = self._draft.templates.get(template), self._settings
        if made is None or settings is None:
            return
        for channel in channels:
            if channel in settings.channels and not made.serves(channel, settings.company.language):
                wanted = f"{channel}.html" if channel == "email" else f"{channel}.txt"
                remedy = f"Write templates/{template}/{wanted}, or leave `{channel}` out of `channels`."
                document.report(path, f"the template `{template}` has no part for the channel `{channel}`", remedy)

    def campaign(self, document: Document, campaign: Campaign) -> None:
        self._mentions(document, _campaign_mentions(campaign))
        self._parts(document, ("template",), campaign.template, campaign.channels)
        for arm, variant in campaign.variants.items():
            if variant.template:
                self._parts(document, ("variants", arm, "template"), variant.template, campaign.channels)
        if campaign.when is not None:
            for path, message, remedy in schedule.problems(campaign.when):
                document.report(("when", *path), message, remedy)
        if campaign.name in OURS:
            document.report((), f"`{campaign.name}` is Vinculo's own name for answers", "Give the file another name.")
        if campaign.name in self._draft.names["journey"]:
            document.report((), f"a journey is named `{campaign.name}` too", "The ledger needs one name for each.")

    def journey(self, document: Document, journey: Journey) -> None:
        self._mentions(document, _journey_mentions(journey))
        for number, step in enumerate(journey.steps):
            self._parts(document, ("steps", number, "template"), step.template, journey.channels)

    def policy(self) -> None:
        if self._draft.policy is None:
            return
        document = self._draft.documents["policy", ""]
        for section in ("caps", "quiet_hours"):
            for number, rule in enumerate(getattr(self._draft.policy, section)):
                path = (section, number, "channels")
                self._mentions(document, [((*path, i), "channel", name) for i, name in enumerate(rule.channels)])
        for path, message, remedy in policy_problems(self._draft.policy, self._known["stage"]):
            document.report(path, message, remedy)
        self._mentions(document, policy_mentions(self._draft.policy))
        if TOPIC in self._draft.policy.topics:
            document.report(("topics", TOPIC), f"`{TOPIC}` is Vinculo's own topic", "Name it otherwise.", key=True)

    def _stages(self) -> set[str] | None:
        lifecycle, broken = self._draft.lifecycle, ("lifecycle", "") in self._draft.documents
        return {each.name for each in (lifecycle or USUAL).stages} if lifecycle or not broken else None

    def lifecycle(self) -> None:
        if self._draft.lifecycle is None:
            return
        document = self._draft.documents["lifecycle", ""]
        currency = self._settings.company.currency if self._settings else ""
        for path, message, remedy in lifecycle_problems(self._draft.lifecycle, self._draft.segments, currency):
            document.report(path, message, remedy, key=True)
        self._mentions(document, mentions(self._draft.lifecycle))

    def answers(self) -> None:
        answers = self._draft.answers
        if answers is None:
            return
        document, told = self._draft.documents["answers", ""], dict[str, str]()
        self._mentions(document, ((("topics", name), "topic", name) for name in answers.topics))
        for name, question in answers.questions.items():
            path = ("questions", name)
            self._mentions(document, [((*path, "template"), "template", question.template)])
            about = enumerate(question.topics)
            self._mentions(document, (((*path, "topics", number), "topic", topic) for number, topic in about))
            for number, phrase in enumerate(question.phrases):
                first = told.setdefault(phrase.casefold().strip(), name)
                if first != name:
                    remedy = "A text that meets two questions is answered by none: leave it in one."
                    document.report((*path, "phrases", number), f"`{first}` has this phrase too", remedy)

    def segments(self) -> None:
        for name, path, message, remedy in segment.problems(self._draft.segments):
            document = self._draft.documents["segment", name]
            if path[:1] == ("sql",):
                _, line, column = path
                document.problems.append(Problem(document.file, line, column, message, remedy))
            else:
                document.report(path, message, remedy, key=True)
        for name, made in self._draft.segments.items():
            document = self._draft.documents["segment", name]
            self._mentions(document, segment.references(made))
            if "currency" in (document.data or ()):
                document.report(
                    ("currency",), "the currency is the company's", "Name another beside an amount.", key=True
                )


def _campaign_mentions(campaign: Campaign) -> Iterator[_Mention]:
    yield ("segment",), "segment", campaign.segment
    yield from ((("exclude", number), "segment", name) for number, name in enumerate(campaign.exclude))
    yield ("topic",), "topic", campaign.topic
    yield ("template",), "template", campaign.template
    if campaign.objective is not None:
        yield ("objective",), "objective", campaign.objective
    yield from ((("channels", number), "connector", name) for number, name in enumerate(campaign.channels))
    for arm, variant in campaign.variants.items():
        if variant.template:
            yield ("variants", arm, "template"), "template", variant.template


def _journey_mentions(journey: Journey) -> Iterator[_Mention]:
    yield ("segment",), "segment", journey.segment
    if journey.leave:
        yield ("leave",), "segment", journey.leave
    yield ("topic",), "topic", journey.topic
    yield from ((("channels", number), "connector", name) for number, name in enumerate(journey.channels))
    for number, step in enumerate(journey.steps):
        yield ("steps", number, "template"), "template", step.template
        if step.only:
            yield ("steps", number, "only"), "segment", step.only
