"""The shape of every file of a project, as pydantic models: what `vinculo check` holds files against, and what
`vinculo schema` prints for editors.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from vinculo.errors import nearest
from vinculo.fields import LANGUAGE, Duration, Name, Percent, Rate, Strict
from vinculo.model import CampaignKind
from vinculo.project.asking import Confirm, Implied
from vinculo.project.routing import Routing
from vinculo.project.survey import Survey
from vinculo.schedule import When
from vinculo.schedule.zone import known

#: What a UTM parameter may be called, `utm_` before it, and what stands in its value for what a message is of.
UtmName = Literal["source", "medium", "campaign", "content", "term", "id"]
UTM_FIELDS = ("campaign", "occurrence", "channel", "variant", "kind")


def _filled(value: str) -> str:
    wrong = [name for name in re.findall(r"\{([^{}]*)\}", value) if name not in UTM_FIELDS]
    if wrong:
        raise ValueError(f"{{{wrong[0]}}} is not known: write {', '.join(f'{{{name}}}' for name in UTM_FIELDS)}")
    return value


UtmValue = Annotated[str, Field(max_length=200), AfterValidator(_filled)]


# ── plan/calendar/*.yaml ─────────────────────────────────────────────────────────────────────────────────────────
class Late(Strict):
    """What to do with an occurrence that comes more than `within` after its time."""

    within: Duration = timedelta(hours=2)
    else_: Literal["skip", "send", "ask"] = Field("skip", alias="else")


class Variant(Strict):
    """One arm of a test: what differs, and its share of the audience (equal shares when none says)."""

    subject: str = ""
    template: Name | None = None
    share: Percent | None = None


def _expires(kind: CampaignKind | None) -> timedelta:
    return timedelta(hours=24 if kind == CampaignKind.PROMOTION else 72)


class Campaign(Strict):
    """One file of the calendar. Its name is the file's."""

    name: str = ""
    kind: CampaignKind
    description: str = ""
    objective: Name | None = None
    segment: Name
    exclude: list[Name] = []
    topic: Name
    channels: list[Name] = Field(min_length=1)
    template: Name
    when: When | None = None
    late: Late = Late()
    priority: int = Field(50, ge=0, le=100)
    approval: Literal["required", "none"] = "none"
    holdout: Percent = 0
    variants: dict[Name, Variant] = {}
    #: How long a delivery is tried before it expires; an offer is old sooner than a receipt.
    expires: Duration = Field(default_factory=lambda said: _expires(said.get("kind")))
    #: What becomes of deliveries in doubt: held for a person, sent again with the same Message-ID, written off.
    in_doubt: Literal["hold", "resend", "write_off"] = "hold"
    #: Whose openings are asked for; without it: `tracking.opens` of vinculo.toml.
    open_tracking: Literal["individual", "aggregate", "off"] | None = None
    #: What links tell the website's statistics, instead of `tracking.utm`; `off`: nothing.
    utm: dict[UtmName, UtmValue] | Literal["off"] = {}
    #: What a campaign of kind `survey` asks; without it, 0 to 10.
    survey: Survey | None = None
    active: bool = True

    @model_validator(mode="after")
    def _asks(self) -> Campaign:
        if self.survey and self.kind != CampaignKind.SURVEY:
            raise ValueError(f"`survey` belongs to `kind: survey`, and this is a {self.kind}")
        return self


# ── plan/policy.yaml ─────────────────────────────────────────────────────────────────────────────────────────────
class Topic(Strict):
    """What a message is about, for consent; the name a contact reads, by language."""

    title: dict[str, str]
    description: dict[str, str] = {}


class Cap(Strict):
    """At most so many messages to a contact in a rolling window."""

    at_most: int = Field(ge=1)
    within: Duration
    #: Only these channels or kinds count and are held back; empty: all but `service`.
    channels: list[Name] = []
    kinds: list[CampaignKind] = []


class QuietHours(Strict):
    """No message on these channels from `from` to `to`, contact's wall clock."""

    from_: str = Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    to: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    channels: list[Name] = []


class Breakers(Strict):
    """When a campaign is paused until a person resumes it: so many of those who got an occurrence complain or bounce.

    Nothing is judged before `after` messages have left.
    """

    complaints: Percent = 0.3
    bounces: Percent = 5
    after: int = Field(500, ge=1)


class Policy(Strict):
    """Rules that hold for every campaign."""

    topics: dict[Name, Topic]
    caps: list[Cap] = []
    quiet_hours: list[QuietHours] = []
    holdout: Percent = 0
    breakers: Breakers = Breakers()
    routing: Routing | None = None
    confirm: Confirm | None = None
    implied: list[Implied] = []


# ── plan/objectives.yaml, plan/loyalty.yaml, plan/journeys/*.yaml ────────────────────────────────────────────────
#: What an objective can be measured by; `report.METRICS` measures each.
MetricName = Literal[
    "open_rate", "click_rate", "reply_rate", "unsubscribe_rate", "complaint_rate", "bounce_rate",
    "conversion_rate", "repeat_rate", "retention_rate", "nps", "contacts",
]  # fmt: skip


class Objective(Strict):
    """SMART: a metric, where it stands, where it should be, by when."""

    description: str
    metric: MetricName
    baseline: float
    target: float
    deadline: date


class Tier(Strict):
    """A level of the loyalty programme, from so many points on."""

    name: Name
    from_: int = Field(0, alias="from", ge=0)


class Loyalty(Strict):
    """How points are earned; without the file there is no programme."""

    points_per_unit: float = Field(1, ge=0)
    events: dict[str, int] = {}
    expires: Duration | None = None
    tiers: list[Tier] = []


class Step(Strict):
    """One step of a journey: wait, then send if the contact still belongs."""

    name: Name
    after: Duration = timedelta(0)
    template: Name
    only: Name | None = None


class Journey(Strict):
    """Steps that each contact of `segment` walks at its own pace."""

    name: str = ""
    description: str = ""
    segment: Name
    leave: Name | None = None
    topic: Name
    kind: CampaignKind = CampaignKind.SERVICE
    channels: list[Name] = Field(min_length=1)
    #: A contact that has walked it may walk it again after so long; never when absent.
    again: Duration | None = None
    steps: list[Step] = Field(min_length=1)
    active: bool = True


# ── vinculo.toml ─────────────────────────────────────────────────────────────────────────────────────────────────
def _mailbox(value: str) -> str:
    if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", value):
        raise ValueError("write one e-mail address: `ola@example.com`")
    return value


def _zone(value: str) -> str:
    if not known(value):
        near = nearest(value, available_timezones())
        raise ValueError("write an IANA zone, `America/Sao_Paulo`." + (f" Did you mean `{near}`?" if near else ""))
    return value


def _language(value: str) -> str:
    if not re.fullmatch(LANGUAGE, value):
        raise ValueError("write its code: `pt`, `pt-BR`")
    return value


def _no_password(value: str) -> str:
    """An address is printed and logged; pydantic's own error would repeat it."""
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise PydanticCustomError("password_in_url", "must have no password in it")
    return value


def _code(letters: int, example: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(f"[A-Z]{{{letters}}}", value):
            raise ValueError(f"write its code of {letters} capital letters: `{example}`")
        if value == "UK":  # which no telephone number and no zone is found by
            raise ValueError("write `GB`, which is the United Kingdom's code (ISO 3166)")
        return value

    return AfterValidator(check)


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Company(Strict):
    """Who writes."""

    name: str
    sender_name: str
    sender_email: Mailbox
    #: Where replies go: a signed tag is added, `replies+TOKEN@…`.
    reply_email: Mailbox
    #: Where bounces go: `bounces+TOKEN@…`.
    bounce_email: Mailbox
    postal_address: str
    website: str = ""
    language: Annotated[str, AfterValidator(_language)] = "pt"
    country: Annotated[str, _code(2, "BR")] = "BR"
    timezone: Annotated[str, AfterValidator(_zone)] = "America/Sao_Paulo"
    currency: Annotated[str, _code(3, "BRL")] = "BRL"


class DkimSettings(Strict):
    """Our signature on each e-mail. Without a key we do not sign: the mail server that we hand over to may."""

    domain: str = ""  # empty: that of company.sender_email
    #: Where the public half is published, `SELECTOR._domainkey.DOMAIN`; one for each key, apart by blanks.
    selector: str = "vinculo"
    key_file: str = ""  # PEM, from the project's folder
    key: str = ""  # instead of the file


class Database(Strict):
    """Where everything is kept. `durability` full survives a power cut, process a killed process."""

    url: str = "sqlite:///vinculo.db"
    durability: Literal["full", "process"] = "full"


class Web(Strict):
    """The web app: its address as contacts and marketers reach it, and where it listens."""

    url: str = "http://127.0.0.1:8500"
    host: str = "127.0.0.1"
    port: int = 8500
    #: Asked for by the console; required unless `host` and `url` are this machine's.
    password: str = ""
    #: What `POST /events` asks for: at least 20 characters. Without it no event is taken.
    events_token: Annotated[str, Field(pattern=r"^(.{20,})?$")] = ""
    #: A folder of messages that the console shows: where the outbox connector, or the demo's catcher, keeps them.
    outbox: str = ""


class Tracking(Strict):
    """Openings and clicks: whose we ask for, and what our links tell the company's own website."""

    #: What campaigns do that do not say: know who opened, count openings without a person, or neither.
    opens: Literal["individual", "aggregate", "off"] = "individual"
    #: Who is a person to `individual`: all but those who took back their consent to the topic `tracking` on email, or
    #: those alone who gave it. The others' messages carry the pixel that names nobody.
    consent: Literal["opt_out", "opt_in"] = "opt_out"
    #: A link that no person sees, at the end of each e-mail: whoever follows it is a machine.
    honeypot: bool = False
    #: Parameters added to each address that a tracked link leads to.
    utm: dict[UtmName, UtmValue] = Field({}, examples=[{"source": "newsletter", "campaign": "{campaign}"}])
    #: The sites that get them, with those below them (`casaaurora.example`); none: all.
    utm_domains: list[str] = []


class Listen(Strict):
    """Doors for mail that comes back: our own SMTP/LMTP listener, a Maildir, an IMAP mailbox."""

    smtp: str = ""  # host:port
    lmtp: str = ""  # host:port
    maildir: str = ""
    imap: str = ""  # imaps://user:password@host/INBOX


#: One mail domain, several apart by blanks, or all.
Domains = Annotated[str, Field(pattern=r"^(\*|[a-z0-9.-]+( [a-z0-9.-]+)*)$")]


class WarmUp(Strict):
    """The first days of a new sender: `first` messages on the day `from`, `grow` more each day; free above `until`."""

    from_: date = Field(alias="from")
    first: int = Field(ge=1)
    grow: Percent = 100
    until: int = Field(ge=1)


class Limits(Strict):
    """How hard we work, and how fast we send. Leases and waits in seconds."""

    workers: int = Field(2, ge=1, le=64)
    batch: int = Field(1000, ge=1, le=10_000)
    lease: int = Field(300, ge=10)
    sql_seconds: int = Field(30, ge=1)
    render_seconds: float = Field(1, gt=0)
    #: The most that leaves on a channel, by all workers together.
    rates: dict[Name, Rate] = {}
    #: The most that leaves for a recipient's mail domain; several apart by blanks share it; `*` for each of the others.
    domains: dict[Domains, Rate] = {}
    #: Daily caps of a channel or of a domain that is new.
    warm_up: dict[str, WarmUp] = {}


class PrefectSettings(Strict):
    """Where Prefect's server is (its UI is at the same address), and on what a run's deliveries are spread."""

    api_url: Annotated[str, AfterValidator(_no_password)] = "http://127.0.0.1:4200/api"
    #: In the run's own process, in processes of its machine, or on a Dask cluster.
    task_runner: Literal["threads", "processes", "dask"] = "threads"
    #: `tcp://host:8786`; empty: a cluster of the run's own, on its machine.
    dask_address: str = ""
    #: How many runs share a send: more than one where the work pool has workers on several machines.
    runs: int = Field(1, ge=1, le=64)
