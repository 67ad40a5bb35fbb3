"""Frozen values made fast are those that a call of their class makes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from vinculo.model import Contact, Message
from vinculo.quick import quick


@pytest.mark.parametrize("kind", [Contact, Message])
def test_a_value_made_fast_is_the_same_value(kind: Any) -> None:
    make = quick(kind)
    full = [f"value of {each.name}" for each in fields(kind)]
    for values in (full, full[:4]):  # what is not given is as the class says
        one, other = make(*values), kind(*values)
        assert (one, repr(one), type(one)) == (other, repr(other), kind)
        assert replace(one) == other
    assert pickle.loads(pickle.dumps(make(*full))) == copy.deepcopy(make(*full)) == kind(*full)
    assert hash(make(*full)) == hash(kind(*full))
    assert make(**{each.name: each.name for each in fields(kind)}).key == "key"


def test_nobody_can_change_it() -> None:
    contact: Any = quick(Contact)(1, "c1")
    with pytest.raises(FrozenInstanceError):
        contact.key = "c2"
    with pytest.raises((AttributeError, TypeError)):
        contact.nickname = "c2"


def test_a_call_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match="missing 3 required"):
        quick(Message)("only a key")  # type: ignore[call-arg]
