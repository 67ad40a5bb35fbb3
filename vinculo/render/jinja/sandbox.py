"""Jinja with walls: plain data, an allow-list of what a template may do, and limits on time and size.

Jinja's own sandbox stops escapes, not resource use: `'x' * 10**9` and nested loops run away. So what can grow is
refused or counted, and every loop and call looks at the clock.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any

import jinja2
from jinja2 import filters as jinja
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vinculo.errors import did_you_mean, nearest
from vinculo.render.jinja.harden import harden

#: Longest text that a template, or a value within it, may make, in characters.
MAX_OUTPUT = 2_000_000
MAX_ITEMS = 10_000
_MAX_BITS = 256
#: How many parts of an output are taken before its size is looked at.
_TOGETHER = 32
#: Where in the context the moment stands at which rendering is cut, of `time.thread_time`: a worker that was asleep, or
#: on a crowded machine, must not take a contact's message for one that runs away.
DEADLINE = "_deadline"


def _words(text: str) -> list[str]:
    return text.split()


FILTERS = frozenset(
    _words(
        """abs batch capitalize d default dictsort e escape first float forceescape groupby int join last length count
        list lower map max min reject rejectattr replace reverse round safe select selectattr sort string striptags
        sum title trim truncate unique upper urlencode wordcount"""
    )
)
TESTS = frozenset(
    _words(
        """boolean defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable le lessthan
        lower lt mapping ne none number odd sequence string true undefined upper == != < > <= >="""
    )
)
_WIDE = re.compile(r"%[^a-zA-Z%]*(\*|\d{3})")
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        _words("capitalize count endswith find isdigit lower lstrip rstrip split startswith strip title upper")
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    date: frozenset({"day", "isoformat", "month", "weekday", "year"}),
    LoopContext: frozenset(
        _words("changed cycle depth depth0 first index index0 last length nextitem previtem revindex revindex0")
    ),
    Macro: frozenset({"name"}),
}


class LimitExceeded(SecurityError):
    """A template takes too long or makes too much."""


class Facts(dict[str, Any]):
    """What may or may not be known of a contact. An absent fact is false when asked for, and an error when shown."""


#: Names by which Jinja reaches what a dict can do, never an item of it.
_OF_DICT = frozenset(dir(Facts))


class NamedUndefined(Undefined):
    """A name that is not there: an error that names it, and the nearest that is; the filter `default` works."""

    __slots__ = ()
    __str__ = __iter__ = __len__ = __contains__ = Undefined._fail_with_undefined_error  # noqa: SLF001 - as Jinja does

    def __bool__(self) -> bool:
        if isinstance(self._undefined_obj, Facts):
            return False
        return bool(self._fail_with_undefined_error())

    def __eq__(self, other: object) -> bool:
        return bool(self)

    def __hash__(self) -> int:
        return int(self._fail_with_undefined_error())

    @property
    def _undefined_message(self) -> str:
        message = super()._undefined_message
        if isinstance(self._undefined_obj, Facts) and not nearest(str(self._undefined_name), self._undefined_obj):
            name = self._undefined_name
            return f'`{name}` is not known of this contact. Say what stands there then: `{{{{ ….{name} or "…" }}}}`.'
        if isinstance(self._undefined_obj, Mapping):
            known = [str(key) for key in self._undefined_obj]
            return f"`{self._undefined_name}` is undefined. {did_you_mean(str(self._undefined_name), known)}"
        return message


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of every template."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, loader: jinja2.BaseLoader, own: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            loader=loader,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=NamedUndefined,
            extensions=["jinja2.ext.loopcontrols"],
            keep_trailing_newline=True,
            auto_reload=False,
            cache_size=-1,
        )
        safe = {"batch": _batch, "join": _join, "list": _list, "replace": _replace, "sum": _sum}
        safe |= {"_ticking": _ticking, "_bounded": _bounded, "_weighed": _weighed, "_get": _get}
        self.filters = {name: self.filters[name] for name in FILTERS} | safe | dict(own)
        self.tests = {name: self.tests[name] for name in TESTS}
        self.globals = {"range": _range, "dict": _dict}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse *source* so that every loop looks at the clock and every `~` at its size."""
        return harden(super()._parse(source, name, filename))

    def template(self, source: str | nodes.Template, name: str | None, filename: str | None) -> jinja2.Template:
        """Return the template that *source* is; its errors are said to be in *filename*."""
        return jinja2.Template.from_code(self, self.compile(source, name, filename), self.globals)

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Join what a template or block made, as far as it is not too much."""
        rest = iter(parts)
        kept = list(islice(rest, _TOGETHER))
        size, some = sum(map(len, kept)), kept
        while len(some) == _TOGETHER and size <= MAX_OUTPUT:
            some = list(islice(rest, _TOGETHER))
            size += sum(map(len, some))
            kept += some
        if size > MAX_OUTPUT:
            raise LimitExceeded(f"The template makes more than {MAX_OUTPUT:,} characters")
        return "".join(kept)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what `obj.attribute` is. Of plain data an item, without asking the type first."""
        if (type(obj) is Facts or type(obj) is dict) and attribute in obj and attribute not in _OF_DICT:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow only what plain data needs: no `format`, no `zfill(10**9)`, nothing with an underscore first."""
        allowed = next((names for kind, names in _METHODS.items() if isinstance(obj, kind)), frozenset())
        return attr in allowed and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Let `str.format` be refused like any other method: a width in it makes a text of any length."""

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call *obj* unless the time is over: a macro may call itself."""
        _look_at_clock(context)
        _weighed((args, kwargs))
        return _weighed(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse the operators by which a short template makes a huge value."""
        if operator == "**":
            raise SecurityError("`**` is not allowed in a template")
        if operator == "%" and isinstance(left, str) and _WIDE.search(left):
            raise SecurityError("`%` on text takes a width of at most 99")
        if operator == "*" and not (_is_small(left) and _is_small(right)):
            raise SecurityError("`*` is only for numbers of ordinary size")
        if operator == "+":
            _bounded(left), _bounded(right)
        return super().call_binop(context, operator, left, right)


def _is_small(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() <= _MAX_BITS
    return not isinstance(value, str | list | tuple | bytes)


def _look_at_clock(context: Context) -> None:
    deadline = context.get(DEADLINE)
    if isinstance(deadline, float) and time.thread_time() > deadline:
        raise LimitExceeded("The template takes too long: is there a loop in a loop?")


@jinja2.pass_context
def _ticking(context: Context, items: Any) -> Any:
    """Return *items* so that the clock is looked at with each; what is not there stays so, and says its name."""
    if isinstance(items, Undefined):
        return items
    return _ticks(context, items)


def _ticks(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _look_at_clock(context)
        yield item


@jinja2.pass_context
def _get(context: Context, obj: Any, *args: Any) -> Any:
    """Return `obj.get(*args)`: most of what a template asks of what is known of a contact."""
    if type(obj) is Facts:
        return obj.get(*args)
    environment = context.environment
    return environment.call(context, environment.getattr(obj, "get"), *args)  # type: ignore[attr-defined]


def _bounded(value: Any) -> Any:
    """Return *value* unless it has grown past what a template may make."""
    if isinstance(value, str | list | tuple) and len(value) > MAX_OUTPUT // 2:
        raise LimitExceeded(f"A value in the template grows past {MAX_OUTPUT // 2:,} characters")
    return value


def _weighed(value: Any) -> Any:
    """Return *value* unless it holds too much: a list of lists of lists is soon longer than anybody can write."""
    held, count = [value], 0
    while held:
        one = held.pop()
        if isinstance(one, list | tuple | dict):
            count += len(one)
            if count > MAX_ITEMS:
                raise LimitExceeded(f"A list in the template holds more than {MAX_ITEMS:,} values")
            held += one.values() if isinstance(one, dict) else one
    return value


def _dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = _weighed(dict(*args, **kwargs))
    return made


def _list(items: Iterable[Any]) -> list[Any]:
    made: list[Any] = _weighed(list(islice(items, MAX_ITEMS + 1)))
    return made


@jinja2.pass_environment
def _sum(
    environment: jinja2.Environment, items: Iterable[Any], attribute: str | int | None = None, start: float = 0
) -> Any:
    if not isinstance(start, int | float):
        raise SecurityError("`sum` is only for numbers")
    return jinja.sync_do_sum(environment, items, attribute, start)


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_ITEMS:
        raise LimitExceeded(f"range({', '.join(map(str, bounds))}) has more than {MAX_ITEMS:,} numbers")
    return numbers


def _batch(items: Iterable[Any], size: int, fill: Any = None) -> Iterator[Any]:
    if not 0 < size <= MAX_ITEMS:
        raise LimitExceeded(f"batch({size}) is not between 1 and {MAX_ITEMS:,}")
    _weighed([fill] * size)
    return jinja.do_batch(list(items), size, fill)


@jinja2.pass_eval_context
def _join(context: nodes.EvalContext, items: Iterable[Any], between: str = "", attribute: Any = None) -> str:
    kept, size = [], 0
    for item in items:
        size += len(between) + len(item if isinstance(item, str) else str(_weighed(item)))
        if size > MAX_OUTPUT:
            raise LimitExceeded(f"join makes more than {MAX_OUTPUT:,} characters")
        kept.append(item)
    return str(jinja.sync_do_join(context, kept, between, attribute))


@jinja2.pass_eval_context
def _replace(context: nodes.EvalContext, text: str, old: str, new: str, count: int | None = None) -> str:
    times = str(text).count(str(old))
    if len(text) + times * len(new) > MAX_OUTPUT:
        raise LimitExceeded(f"replace makes more than {MAX_OUTPUT:,} characters")
    return jinja.do_replace(context, text, old, new, count)
