"""What the files say of one another: every name that is mentioned must be there, and fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from vinculo import schedule, segment
from vinculo.errors import Problem, did_you_mean
from vinculo.project.answers import OURS, TOPIC
from vinculo.project.checking.draft import Draft
from vinculo.project.checking.mention import Mention, mentions, names
from vinculo.project.checking.ruling import policy_problems
from vinculo.project.checking.yaml import Document
from vinculo.project.lifecycle import USUAL, lifecycle_problems
from vinculo.project.schema import Campaign
from vinculo.project.settings import FILE, Settings
from vinculo.segment import Segment

#: A rule about one of these is no misspelling, though no connector serves it yet.
_CHANNELS = {"email", "sms", "whatsapp", "telegram", "push", "voice", "post", "social"}
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
    checker.segments()
    for (kind, name), document in draft.documents.items():
        found = list(mentions(kind, document.data))
        checker.mentions(document, found)
        checker.parts(document, found)
        if kind in {"campaign", "journey"}:
            checker.own(document, name)
    for name, campaign in draft.campaigns.items():
        checker.campaign(draft.documents["campaign", name], campaign)
    checker.policy()
    checker.answers()
    checker.lifecycle()


class _Checker:
    def __init__(self, draft: Draft, settings: Settings | None) -> None:
        self._draft, self._settings = draft, settings
        self._known: dict[str, set[str] | None] = {
            "segment": draft.names["segment"],
            "template": draft.names["template"],
            "campaign": draft.names["campaign"] | draft.names["journey"],
            "topic": self._named("policy", "topics", "@"),
            "objective": self._named("objectives", "@"),
            "channel": {*settings.channels, *_CHANNELS} if settings else None,
            "connector": set(settings.channels) if settings else None,
            "stage": self._named("lifecycle", "stages", "*", "name", usual={each.name for each in USUAL.stages}),
        }

    def _named(self, kind: str, *keys: str, usual: Collection[str] = ()) -> set[str] | None:
        """What the one file of *kind* names at *keys*, right otherwise or not; None when that cannot be read."""
        document = self._draft.documents.get((kind, ""))
        if document is None:
            return None if kind == "policy" or (self._draft.root / f"plan/{kind}.yaml").is_file() else set(usual)
        return names(document.data, *keys) or (None if document.problems else set())

    def mentions(self, document: Document, found: Iterable[Mention]) -> None:
        wrong = {(each.line, each.column) for each in document.problems}
        for path, kind, name in found:
            known = self._known[kind]
            # None: the file that holds the names is broken, and said so; and what is no name is not looked for.
            if known is None or name in known or document.values.get(path) in wrong:
                continue
            if kind == "connector":
                remedy = f'Name one under [channels] in {FILE}: `{name} = "module:Class"`. {did_you_mean(name, known)}'
                document.report(path, f"no connector serves the channel `{name}`", remedy)
            else:
                home = f" in {_HOMES[kind]}" if kind in _HOMES else ""
                document.report(path, f"there is no {kind} `{name}`{home}", did_you_mean(name, known))

    def parts(self, document: Document, found: Iterable[Mention]) -> None:
        """Note the channels of a campaign or journey for which a template that it names has no part."""
        channels = sorted(names(document.data, "channels", "*"))
        for path, kind, name in found:
            if kind == "template" and channels:
                self._parts(document, path, name, channels)

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
        if campaign.when is not None:
            for path, message, remedy in schedule.problems(campaign.when):
                document.report(("when", *path), message, remedy)
        if campaign.name in self._draft.names["journey"]:
            document.report((), f"a journey is named `{campaign.name}` too", "The ledger needs one name for each.")

    def own(self, document: Document, name: str) -> None:
        """Refuse for a campaign or journey the *name* of what Vinculo sends: both would be one to the ledger."""
        asked = self._draft.policy.confirm.campaigns if self._draft.policy and self._draft.policy.confirm else {}
        what = "answers" if name in OURS else "what asks to confirm a yes" if name in asked else ""
        if what:
            document.report((), f"`{name}` is Vinculo's own name for {what}", "Give the file another name.")

    def policy(self) -> None:
        if self._draft.policy is None:
            return
        document, confirm = self._draft.documents["policy", ""], self._draft.policy.confirm
        if confirm and "template" not in document.data["confirm"]:
            self.mentions(document, [(("confirm",), "template", confirm.template)])
        if confirm:
            self._asks(document, confirm.template)
        for path, message, remedy in policy_problems(self._draft.policy, self._known["stage"]):
            document.report(path, message, remedy)
        if TOPIC in self._draft.policy.topics:
            document.report(("topics", TOPIC), f"`{TOPIC}` is Vinculo's own topic", "Name it otherwise.", key=True)

    def _asks(self, document: Document, name: str) -> None:
        """Refuse a template that cannot ask on any channel: no yes would ever count."""
        made, settings = self._draft.templates.get(name), self._settings
        if made and settings and not any(made.serves(each, settings.company.language) for each in settings.channels):
            path = ("confirm", "template") if "template" in document.data["confirm"] else ("confirm",)
            remedy = f"Write templates/{name}/email.html, or the part for another channel."
            document.report(
                path, f"the template `{name}` has no part for any channel: no yes could be confirmed", remedy
            )

    def lifecycle(self) -> None:
        if self._draft.lifecycle is None:
            return
        document = self._draft.documents["lifecycle", ""]
        currency = self._settings.company.currency if self._settings else ""
        for path, message, remedy in lifecycle_problems(self._draft.lifecycle, self._draft.segments, currency):
            document.report(path, message, remedy, key=True)

    def answers(self) -> None:
        answers = self._draft.answers
        if answers is None:
            return
        document, told = self._draft.documents["answers", ""], dict[str, str]()
        for name, question in answers.questions.items():
            path = ("questions", name)
            for number, phrase in enumerate(question.phrases):
                first = told.setdefault(phrase.casefold().strip(), name)
                if first != name:
                    remedy = "A text that meets two questions is answered by none: leave it in one."
                    document.report((*path, "phrases", number), f"`{first}` has this phrase too", remedy)

    def segments(self) -> None:
        for name, path, message, remedy in segment.problems(self._asked()):
            document = self._draft.documents["segment", name]
            if path[:1] == ("sql",):
                _, line, column = path
                document.problems.append(Problem(document.file, line, column, message, remedy))
            else:
                document.report(path, message, remedy, key=True)
        for name in self._draft.segments:
            document = self._draft.documents["segment", name]
            if "currency" in (document.data or ()):
                document.report(
                    ("currency",), "the currency is the company's", "Name another beside an amount.", key=True
                )

    def _asked(self) -> dict[str, Segment]:
        """The segments, and of those whose file is wrong elsewhere what they ask."""
        found = dict(self._draft.segments)
        for (kind, name), document in self._draft.documents.items():
            who = document.data.get("who") if kind == "segment" and isinstance(document.data, dict) else None
            wrong = {(each.line, each.column) for each in document.problems}
            inside = (place for path, place in document.values.items() if path[:1] == ("who",))
            if isinstance(who, dict) and wrong.isdisjoint(inside):
                found.setdefault(name, Segment(name=name, who=who))
        return found
