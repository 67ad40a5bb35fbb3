"""The JSON Schema of a segment's file: fields, operators and events complete in an editor."""

from __future__ import annotations

from typing import Any

from vinculo.model import PREFERENCES, CampaignKind, EventKind
from vinculo.segment.read.field import CONSENT_STATES, FIELDS, OPERATORS, Field
from vinculo.segment.read.value import AMOUNT, DAY, SHARE

#: A text that is all figures may stand without quotes.
_TEXT = {"type": ["string", "number"], "minLength": 1}
_NUMBER = {"type": "number"}
_MONEY = {"anyOf": [_NUMBER, {"type": "string", "pattern": f"^{AMOUNT}$"}]}
_DATE = {"type": "string", "format": "date", "pattern": f"^{DAY}$", "examples": ["2026-12-31"]}
_MOMENT = {"type": "string", "pattern": f"^{DAY}$| ago *$", "examples": ["2026-12-31", "90 days ago"]}
_SPAN = {"type": "string", "pattern": "[0-9] *[A-Za-z]+ *$", "examples": ["90 days", "2 weeks", "1 year"]}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_SHARE = {"type": "string", "pattern": f"^{SHARE}$"}
_NAMES = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}, {"$ref": "#/$defs/names"}]}
_PRESENCE = {"enum": ["missing", "present"]}
_CONDITION = {"$ref": "#/$defs/condition"}
_CONDITIONS = {"type": "array", "items": _CONDITION}
_VALUES: dict[str, dict[str, Any]] = {
    "number": _NUMBER,
    "money": _MONEY,
    "instant": _MOMENT,
    "ahead": _DATE,
    "date": _DATE,
}


def json_schema() -> dict[str, Any]:
    """Return the schema of `segments/*.yaml`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["who"],
        "properties": {"description": {"type": "string"}, "who": _CONDITION},
        "$defs": {
            "condition": _condition(),
            "names": _object({"in": {"type": "array", "items": _TEXT, "minItems": 1}}),
            "did": _did(),
            "never": _never(),
        },
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "minProperties": 1,
    }


def _condition() -> dict[str, Any]:
    phrases = {
        "all": {**_CONDITIONS, "description": "Every condition holds; an empty list is everyone."},
        "any": {**_CONDITIONS, "minItems": 1, "description": "At least one condition holds."},
        "not": {**_CONDITION, "description": "The condition does not hold."},
        "traits": {"type": "object", "minProperties": 1, "additionalProperties": _anything()},
        "preference": _object({name: _of(Field("preference", "text")) for name in PREFERENCES}),
        "birthday": {"anyOf": [{"const": "today"}, _object({"in_next": _SPAN}, "in_next")]},
        "did": {"anyOf": [_event(), {"$ref": "#/$defs/did"}]},
        "never": {"anyOf": [_event(), {"$ref": "#/$defs/never"}]},
        "consent": {"anyOf": [{"type": "string", "minLength": 1}, _consent()]},
        "reachable": {**_NAMES, "description": "An address on the channel that is not suppressed."},
        "sample": {
            "anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, _SHARE],
            "examples": ["10%"],
            "description": "A fixed share of all contacts.",
        },
        "salt": {"type": ["string", "number"], "description": "With `sample`: another salt takes other contacts."},
        "segment": {**_TEXT, "description": "Is in another segment."},
    }
    condition = _object({**phrases, **{name: _of(field) for name, field in FIELDS.items()}})
    return {**condition, "dependentRequired": {"salt": ["sample"]}}


def _of(field: Field) -> dict[str, Any]:
    """A field's plain value, or its operators."""
    value = dict(_VALUES.get(field.kind, _TEXT))
    if field.choices:
        value = {"enum": list(field.choices)}
    elif field.pattern:
        value = {"type": "string", "pattern": f"^{field.pattern}$", "examples": [field.example]}
    forms = {
        "in": {"type": "array", "items": value, "minItems": 1},
        "between": {"type": "array", "items": value, "minItems": 2, "maxItems": 2},
        "within": _SPAN,
        "in_next": _SPAN,
        "is": _PRESENCE,
    }
    operators = _object({name: forms.get(name, value) for name in OPERATORS[field.kind]})
    return operators if field.kind in {"instant", "ahead", "date"} else {"anyOf": [value, operators]}


def _anything() -> dict[str, Any]:
    """A trait of one's own: what text and numbers can be asked, and several values, each of its own type."""
    value = {"type": ["string", "number", "boolean"], "minLength": 1}
    several = {"type": "array", "items": value, "minItems": 1}
    kinds = [_of(Field("trait", kind)) for kind in ("text", "number")]
    for kind in kinds:
        kind["anyOf"][1]["properties"]["in"] = several
    return {"anyOf": [{"type": "boolean"}, *kinds]}


def _consent() -> dict[str, Any]:
    return _object({"topic": _TEXT, "channel": _TEXT, "state": {"enum": list(CONSENT_STATES)}}, "topic")


def _event() -> dict[str, Any]:
    kinds = {"enum": [kind.value for kind in EventKind]}
    several = {"type": "array", "items": kinds, "minItems": 1}
    return {"anyOf": [kinds, several]}


def _never() -> dict[str, Any]:
    """What says how often, `never` has said."""
    found = _did()
    del found["allOf"]
    for key in ("at_least", "at_most", "exactly", "amount_at_least"):
        del found["properties"][key]
    return found


def _did() -> dict[str, Any]:
    kinds = [kind.value if kind in {"service", "social"} else f"{kind}s" for kind in CampaignKind]
    properties = {
        "event": _event(),
        "at_least": _COUNT,
        "at_most": _COUNT,
        "exactly": _COUNT,
        "within": {**_SPAN, "description": "A window that ends now."},
        "before": {**_MOMENT, "description": "Before that day began (UTC), or longer ago."},
        "after": {**_MOMENT, "description": "From that day on (UTC), or since so long ago."},
        "campaign": _TEXT,
        "channel": _TEXT,
        "amount_at_least": {
            "anyOf": [_NUMBER, {"type": "string", "pattern": f"^{AMOUNT}( [A-Z]{{3}})?$"}],
            "examples": [500, "500 BRL"],
        },
        "of_last": {
            "type": "string",
            "pattern": f"^[0-9]+ +({'|'.join(CampaignKind)})s? *$",
            "examples": [f"5 {kind}" for kind in kinds],
        },
        "then": {
            "anyOf": [_event(), _object({"event": _event(), "within": _SPAN}, "event")],
            "description": "Counts only what this followed, later and within that time.",
        },
    }
    once = [{"not": {"required": ["exactly", other]}} for other in ("at_least", "at_most")]
    return {**_object(properties, "event"), "allOf": once}
