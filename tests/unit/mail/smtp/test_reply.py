from __future__ import annotations

import tracemalloc

import pytest

from vinculo.connector import Receipt
from vinculo.mail.smtp.reply import Replies, hoped, receipt_of
from vinculo.mail.verdict import Reply

SAID = b"250-mail.example\r\n250-SIZE 1000\r\n250 PIPELINING\r\n354 go\r\n550 5.1.1 no\xc3\xa3o\r\n250\r\n250 \r\n"
MEANT = [
    Reply(250, "mail.example\nSIZE 1000\nPIPELINING"),
    Reply(354, "go"),
    Reply(550, "5.1.1 noão"),
    Reply(250, ""),
    Reply(250, ""),
]


@pytest.mark.parametrize("cut", range(len(SAID) + 1))
def test_a_reply_may_come_in_two_pieces_wherever_it_is_cut(cut: int) -> None:
    replies = Replies()
    replies.feed(SAID[:cut])
    replies.feed(SAID[cut:])
    assert (list(replies.ready), replies.nonsense) == (MEANT, "")


def test_a_reply_may_come_byte_by_byte_and_is_not_heard_before_its_end() -> None:
    replies = Replies()
    heard = []
    for place in range(len(SAID)):
        replies.feed(SAID[place : place + 1])
        heard.append(len(replies.ready))
    assert list(replies.ready) == MEANT
    lines = SAID.splitlines(keepends=True)
    ends = [len(b"".join(lines[: number + 1])) - 1 for number, line in enumerate(lines) if line[3:4] != b"-"]
    assert [heard.index(number) for number in range(1, 6)] == ends


def test_a_server_that_ends_its_lines_with_lf_alone_is_understood() -> None:
    replies = Replies()
    replies.feed(b"250-a\n250 b\n")
    assert list(replies.ready) == [Reply(250, "a\nb")]


@pytest.mark.parametrize(
    "said",
    [
        b"what?\r\n",
        b"25\r\n",
        b"\r\n",
        b"250_ok\r\n",
        b"2500 ok\r\n",
        b"250-one\r\n550 two\r\n",
        b"25\r0 ok\r\n",
        b"250 a\rb\r\n",
    ],
)
def test_what_came_before_nonsense_counts_and_nothing_after_it(said: bytes) -> None:
    replies = Replies()
    replies.feed(b"250 ok\r\n" + said + b"250 ok\r\n")
    assert next(iter(replies.ready)) == Reply(250, "ok")
    assert replies.nonsense


@pytest.mark.parametrize("said", [b"2" * 70_000, b"250-still\r\n" * 2000, b"250-" + b"x" * 70_000 + b"\r\n"])
def test_an_answer_that_does_not_end_is_nonsense(said: bytes) -> None:
    replies = Replies()
    replies.feed(said)
    assert "does not end" in replies.nonsense
    assert not replies.ready


def test_it_is_silent_only_when_nothing_is_left() -> None:
    replies = Replies()
    assert replies.silent
    for said in (b"2", b"20 go\r\n", b"220-more\r\n"):
        replies.feed(said)
        assert not replies.silent
        replies.ready.clear()


NEXT = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data\r\n"


@pytest.mark.parametrize("words", ["2.0.0 Ok: queued as 4F3kXs1z9kzQ", "2.0.0 Ok: queued as 4F3kXt77QhzR", "", "não"])
def test_a_content_taken_in_words_of_its_own_and_the_next_invited_is_understood_in_one_step(words: str) -> None:
    assert hoped(f"250 {words}\r\n".encode() + NEXT) == Receipt("", f"250 {words}".strip())


@pytest.mark.parametrize(
    "said",
    [
        b"",
        NEXT,
        b"250 ok\r\n",
        b"250-ok\r\n" + NEXT,
        b"250 ok\r\n" + NEXT[:-1],
        b"250 ok\r\n" + NEXT + b"250 ok\r\n",
        b"250 ok\r\n" + NEXT.replace(b"354", b"250"),
        b"250 ok\r\n" + NEXT.replace(b"250 2.1.5", b"550 5.1.1"),
        b"250 ok\r\n" + NEXT.replace(b"250 2.1.5", b"250-2.1.5"),
        b"251 ok\r\n" + NEXT,
        b"452 full\r\n" + NEXT,
        b"what?\r\n" + NEXT,
        b"250 " + b"x" * 512 + b"\r\n" + NEXT,
    ],
)
def test_whatever_else_a_server_says_is_read_more_closely(said: bytes) -> None:
    assert hoped(said) is None


def test_long_words_are_not_kept_in_memory() -> None:
    long = "x" * 10_000
    replies = Replies()
    tracemalloc.start()
    for number in range(100):
        replies.feed(f"250 {number} {long}\r\n".encode())
        assert receipt_of(250, f"{number} {long}").response.startswith(f"250 {number}")
        replies.ready.clear()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100_000
