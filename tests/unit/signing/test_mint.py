"""Tokens made together are those made one by one."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.signing import Signer

signer = Signer("a new secret key that is longer", old=["an old secret key that was long"])
NUMBER = st.integers(0, 2**64 - 1)
URLS = ["open", "click", "unsubscribe", "view", "preferences", "survey"]
MAILS = ["reply", "bounce", "message"]


@settings(deadline=None, max_examples=60)
@given(NUMBER, NUMBER, st.lists(st.tuples(st.sampled_from(URLS), st.integers(0, 1)), max_size=7), st.integers(0, 3))
def test_a_mint_makes_what_the_signer_makes(one: int, two: int, urls: list[tuple[str, int]], mails: int) -> None:
    marks = [(purpose, number % 2) for number, purpose in enumerate(MAILS[:mails])]
    made = signer.mint(urls, marks)(one, two)
    wanted = [signer.token(purpose, (one, two)[which]) for purpose, which in urls]
    wanted += [signer.mail_token(purpose, (one, two)[which]) for purpose, which in marks]
    assert [token.decode() for token in made] == wanted


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        signer.mint([("open", 0)])(number, 5)


def test_threads_may_share_a_mint() -> None:
    mint, wrong = signer.mint([("open", 0), ("click", 1)], [("reply", 0)]), []
    alone = [mint(number, 7) for number in range(300)]

    def again() -> None:
        wrong.extend(number for number in range(300) if mint(number, 7) != alone[number])

    threads = [threading.Thread(target=again) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
