"""vinculo.toml and the environment over it; each value knows where it came from."""

from __future__ import annotations

import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError

from vinculo import private
from vinculo.errors import NotReady, Problem, UsageError, did_you_mean, nearest
from vinculo.fields import Name, Strict
from vinculo.project.schema import Company, Database, DkimSettings, Limits, Listen, PrefectSettings, Tracking, Web
from vinculo.project.speed import speed_problems

if TYPE_CHECKING:
    from vinculo.mail.dkim import DkimKey

FILE = "vinculo.toml"
SECRET_FILE = "var/secret.key"  # noqa: S105 - where it is, not what it is
_PREFIX = "VINCULO__"
_SECRET = re.compile(r"password|secret|token|key|credential", re.IGNORECASE)
#: Settings with keys of their own.
_TABLES = frozenset({("limits", "rates"), ("limits", "domains"), ("limits", "warm_up")})
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@\s]+)@")


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting as it holds, secrets masked, and where it was said: a line of vinculo.toml, a variable, the default."""

    key: str
    value: str
    origin: str


class Secret(NamedTuple):
    """The secret key as the environment gives it, the variable, and the keys before it, newest first."""

    key: str = ""
    origin: str = ""
    old: tuple[str, ...] = ()


class Settings(Strict):
    """vinculo.toml, overridden by `VINCULO__SECTION__KEY` and `VINCULO__SECTION__KEY_FILE`."""

    company: Company
    dkim: DkimSettings = DkimSettings()
    database: Database = Database()
    web: Web = Web()
    tracking: Tracking = Tracking()
    listen: Listen = Listen()
    limits: Limits = Limits()
    prefect: PrefectSettings = PrefectSettings()
    #: Which connector serves a channel: `module:Class`.
    channels: dict[Name, str] = Field({}, examples=[{"email": "connectors.smtp:Smtp"}])
    #: The connectors' own sections, by the last part of the module's name.
    options: dict[str, dict[str, Any]] = Field({}, exclude=True)

    _root: Path = PrivateAttr(default=Path())
    _secret: Secret = PrivateAttr(default=Secret())
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def connector(self, channel: str) -> tuple[str, dict[str, Any]]:
        """Return `module:Class` and the options of the connector that serves *channel*."""
        try:
            target = self.channels[channel]
        except KeyError:
            raise UsageError(
                f"No connector serves the channel `{channel}`",
                f"Name one under [channels] in {FILE}. {did_you_mean(channel, self.channels)}",
            ) from None
        return target, dict(self.options.get(section_of(target), {}))

    @property
    def secret_key(self) -> str:
        """What signs tokens and links. Raises `NotReady` when there is none yet."""
        if self._secret.key:
            return self._secret.key
        path = self._root / SECRET_FILE
        secret = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        if not secret:
            raise NotReady(f"There is no secret key at {path}", "Run `vinculo db upgrade`, or set VINCULO__SECRET_KEY.")
        return secret

    @property
    def old_secret_keys(self) -> tuple[str, ...]:
        """The keys before this one, newest first: what they signed is still read."""
        return self._secret.old

    def dkim_keys(self) -> tuple[DkimKey, ...]:
        """The keys that e-mail is signed with, none if it is not. Raises `NotReady` or `UsageError` for a bad one."""
        from vinculo.mail.dkim import read_keys
        from vinculo.mail.header import domain_of

        if not (self.dkim.key_file or self.dkim.key or "dkim.key" in self._origins):
            return ()
        text = self.dkim.key if self.dkim.key or not self.dkim.key_file else self._dkim_file()
        domain = self.dkim.domain or domain_of(self.company.sender_email)
        return read_keys(text, domain, self.dkim.selector)

    def _dkim_file(self) -> str:
        path = self._root / self.dkim.key_file
        try:
            return path.read_bytes().decode("ascii", "replace")
        except OSError as error:
            raise NotReady(
                f"The DKIM key {path} cannot be read: {error.strerror}", "Mend dkim.key_file, or the file's rights."
            ) from None

    def origins(self) -> list[Origin]:
        """Every setting with its value, secrets masked, and where it came from."""
        rows = [Origin("secret_key", "***", self._secret.origin or SECRET_FILE)]
        sections = {**self.model_dump(mode="json"), **self.options}
        for section, values in sections.items():
            for key, value in values.items():
                name = f"{section}.{key}"
                rows.append(Origin(name, _masked(key, value), self._origins.get(name, "default")))
        return rows


def make_secret(root: Path) -> Path:
    """Write a fresh secret key into the project in *root*, readable by its owner alone; one that is there stays."""
    path = root / SECRET_FILE
    private.make_folder(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    return path


def section_of(target: str) -> str:
    """`connectors.smtp:Smtp` has its options in the section `[smtp]`."""
    return target.partition(":")[0].rpartition(".")[2]


def _masked(key: str, value: Any) -> str:
    if _SECRET.search(key) and not key.endswith("_file") and value:
        return "***"
    return _URL_PASSWORD.sub(r"\1:***@", str(value))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────
def read_settings(root: Path, environ: Mapping[str, str], problems: list[Problem]) -> Settings | None:
    """Read the settings of the project in *root*; what is wrong is added to *problems*, and None returned."""
    before = len(problems)
    text = _text(root, problems)
    data = _toml(text, problems)
    if len(problems) > before:  # what a broken file does not say is not a second problem
        return None
    places = {key: f"{FILE}:{line}" for key, line in _lines(text).items() if "." in key}
    secret = _overlay(data, environ, places, problems)
    settings = _validated(data, _lines(text), places, problems)
    if settings is None or len(problems) > before:
        return None
    database = settings.database.model_copy(update={"url": _in_project(root, settings.database.url)})
    settings = settings.model_copy(update={"database": database})
    settings._root, settings._secret, settings._origins = root, secret, places  # noqa: SLF001 - made here
    return settings


def _in_project(root: Path, url: str) -> str:
    """`sqlite:///vinculo.db` is in the project's folder, wherever the command is started."""
    path = url.removeprefix("sqlite:///")
    if path == url or path.startswith(("/", ":", "file:")) or not path:
        return url
    return f"sqlite:///{(root / path).as_posix()}"


def _text(root: Path, problems: list[Problem]) -> str:
    try:
        return (root / FILE).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.append(Problem(FILE, 0, 0, "the file is not UTF-8", "Save it as UTF-8."))
    except OSError as error:
        problems.append(Problem(FILE, 0, 0, f"the file cannot be read: {error.strerror}"))
    return ""


def _toml(text: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", str(error))
        message, line, column = found.groups() if found else (str(error), None, None)
        line = line or str(text.count("\n") + 1)
        problems.append(Problem(FILE, int(line), int(column or 1), f"this is not TOML: {message}"))
        return {}


def _lines(text: str) -> dict[str, int]:
    """The line of each section and of each `section.key`."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = header[1].strip()
            lines[section] = number
        elif pair := re.match(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*=""", line):
            key = next(filter(None, pair.groups()))
            lines[f"{section}.{key}" if section else key] = number
    return lines


def _overlay(
    data: dict[str, Any], environ: Mapping[str, str], places: dict[str, str], problems: list[Problem]
) -> Secret:
    """Write the environment's values over *data* and return the secret."""
    secret = Secret()
    for variable, path, value in _variables(environ, problems):
        if path == ("secret_key",):
            secret = secret._replace(key=value, origin=variable)
        elif path == ("secret_key_old",):
            secret = secret._replace(old=tuple(value.split()))
        elif len(path) == 2:
            section = data.setdefault(path[0], {})
            read = _table if path in _TABLES else _like
            section[path[1]] = read(section.get(path[1]), value, variable, problems)
            places[".".join(path)] = variable
        else:
            problems.append(Problem(variable, 0, 0, "no setting has this name", "Write VINCULO__SECTION__KEY."))
    return secret


def _variables(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX):
            continue
        name, value = variable, environ[variable]
        if variable.endswith("_FILE"):
            name = variable.removesuffix("_FILE")
            try:
                value = Path(value).read_text(encoding="utf-8-sig").strip()
            except (OSError, UnicodeDecodeError):
                problems.append(Problem(variable, 0, 0, f"the file {value} cannot be read"))
                continue
        yield variable, tuple(name.removeprefix(_PREFIX).lower().split("__")), value


def _table(written: Any, value: str, variable: str, problems: list[Problem]) -> Any:
    """Read a setting that has keys of its own: in a variable it is JSON."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        problems.append(Problem(variable, 0, 0, "this is not JSON", 'Write for example `{"email": "20/s"}`.'))
        return written or {}


def _like(written: Any, value: str, variable: str, problems: list[Problem]) -> Any:
    """Give *value* the type that the file's value has: a connector's options have no shape of ours."""
    if written is None or isinstance(written, str):
        return value
    try:
        return TypeAdapter(type(written)).validate_python(value)
    except ValidationError:
        problems.append(Problem(variable, 0, 0, f"`{value}` is no {type(written).__name__}"))
        return written


def _home(data: Mapping[str, Any], path: tuple[Any, ...], remedy: str) -> str:
    """What to write; of a section that is neither ours nor a connector's: where its connector is named."""
    ours = Settings.model_fields.keys() - {"options"}  # which nobody writes
    if len(path) != 1 or nearest(path[0], ours) or not isinstance(data[path[0]], dict):
        return remedy
    return (
        f'No channel has a connector with these options: under [channels] write `sms = "connectors.{path[0]}:Class"`.'
    )


def _validated(
    data: dict[str, Any], lines: Mapping[str, int], places: Mapping[str, str], problems: list[Problem]
) -> Settings | None:
    from vinculo.project.complain import complaints

    def place(path: tuple[Any, ...]) -> tuple[str, int]:
        names = [".".join(map(str, path[:length])) for length in range(len(path), 0, -1)]
        said = [origin for key, origin in places.items() if f"{key}.".startswith(f"{'.'.join(map(str, path[:2]))}.")]
        if said and all(origin.startswith(_PREFIX) for origin in said):
            return said[0], 0
        return FILE, next((lines[name] for name in names if name in lines), 0)

    channels = data.get("channels", {})
    own = {section_of(str(target)) for target in channels.values()} if isinstance(channels, dict) else set()
    shaped = {key: value for key, value in data.items() if key not in own or key in Settings.model_fields}
    options = {key: value for key, value in data.items() if key not in shaped}
    if "secret_key" in data:
        del shaped["secret_key"]
        problems.append(
            Problem(FILE, lines.get("secret_key", 0), 1, "a secret does not belong here", f"Keep it in {SECRET_FILE}.")
        )
    settings: Settings | None = None
    wrong: Iterable[tuple[tuple[Any, ...], str, str]]
    try:
        settings = Settings.model_validate({**shaped, "options": options})
        wrong = speed_problems(settings.limits, settings.channels)
    except ValidationError as error:
        wrong = ((path, message, _home(data, path, remedy)) for path, message, remedy, _ in complaints(error, Settings))
    for path, message, remedy in wrong:
        file, line = place(path)
        problems.append(Problem(file, line, 1 if line else 0, message, remedy))
    return settings
