"""The JSON Schema of a segment's file: fields, operators and events complete in an editor."""

from __future__ import annotations

from typing import Any

from vinculo.model import PREFERENCES, CampaignKind, EventKind
from vinculo.segment.read.field import CONSENT_STATES, FIELDS, OPERATORS, Field

_TEXT = {"type": ["string", "integer"]}
_NUMBER = {"type": "number"}
_NAME = {"type": "string"}
_DATE = {"type": "string", "format": "date", "examples": ["2026-12-31"]}
_MOMENT = {"type": "string", "examples": ["2026-12-31", "90 days ago"]}
_SPAN = {"type": "string", "examples": ["90 days", "2 weeks", "1 year"]}
_COUNT = {"type": "integer", "minimum": 0}
_NAMES = {"anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}, {"$ref": "#/$defs/names"}]}
_PRESENCE = {"enum": ["missing", "present"]}
_CONDITION = {"$ref": "#/$defs/condition"}
_CONDITIONS = {"type": "array", "items": _CONDITION}
_VALUES: dict[str, dict[str, Any]] = {
    "number": _NUMBER,
    "money": _NUMBER,
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
            "names": _object({"in": {"type": "array", "items": _NAME}}),
            "did": _did(),
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
        "never": {"anyOf": [_event(), {"$ref": "#/$defs/did"}]},
        "consent": {"anyOf": [_NAME, _consent()]},
        "reachable": {**_NAMES, "description": "An address on the channel that is not suppressed."},
        "sample": {"type": ["string", "number"], "examples": ["10%"], "description": "A fixed share of all contacts."},
        "salt": {"type": "string", "description": "With `sample`: another salt takes other contacts."},
        "segment": {**_NAME, "description": "Is in another segment."},
    }
    return _object({**phrases, **{name: _of(field) for name, field in FIELDS.items()}})


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
    """A trait of one's own: what text and numbers can be asked."""
    return {"anyOf": [{"type": "boolean"}, _of(Field("trait", "text")), _of(Field("trait", "number"))]}


def _consent() -> dict[str, Any]:
    return _object({"topic": _NAME, "channel": _NAME, "state": {"enum": list(CONSENT_STATES)}}, "topic")


def _event() -> dict[str, Any]:
    kinds = {"enum": [kind.value for kind in EventKind]}
    return {"anyOf": [kinds, {"type": "array", "items": kinds, "minItems": 1}]}


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
        "campaign": _NAME,
        "channel": _NAME,
        "amount_at_least": {"type": ["number", "string"], "examples": [500, "500 BRL"]},
        "of_last": {"type": "string", "examples": [f"5 {kind}" for kind in kinds]},
        "then": {
            "anyOf": [_event(), _object({"event": _event(), "within": _SPAN}, "event")],
            "description": "Counts only what this followed, later and within that time.",
        },
    }
    return _object(properties, "event")
