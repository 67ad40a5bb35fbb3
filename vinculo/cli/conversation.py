"""`vinculo inbox`: what contacts wrote that wants an answer, and the answers."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output
from vinculo.errors import NotReady, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from vinculo.conversation import Answered, Line, Turn, Week
    from vinculo.runtime import Runtime

NumberArgument = Annotated[
    int, typer.Argument(metavar="NUMBER", help="Number of a conversation: `vinculo inbox list`.")
]
ByOption = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who does it; without it: the name you are logged in with.")
]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="A word for your colleagues; the contact never sees it.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to *app*."""
    group = typer.Typer(no_args_is_help=True, help="What contacts wrote that wants an answer, and the answers.")
    for name, command in (
        *(("list", list_), ("show", show), ("answer", answer), ("take", take), ("handover", hand_over)),
        *(("close", close), ("reopen", reopen), ("times", times)),
    ):
        group.command(name)(command)
    app.add_typer(group, name="inbox")


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────
def list_(
    state: Annotated[
        str, typer.Option(metavar="S", help="open, waiting or closed; without it: what is not closed.")
    ] = "",
    owner: Annotated[str, typer.Option(metavar="NAME", help="Only what this person answers.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="At most so many.")] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the conversations, those longest owed an answer first."""
    from vinculo import conversation
    from vinculo.runtime import open_runtime

    known = (conversation.OPEN, conversation.WAITING, conversation.CLOSED)
    if state and state not in known:
        raise UsageError(f"There is no state `{state}`", f"Write one of {', '.join(known)}.")
    with open_runtime() as rt, rt.read() as db:
        states = (state,) if state else known[:2]
        found = conversation.inbox(db, rt.project, rt.now(), states=states, owner=owner, limit=limit)
    output.answer([asdict(one) for one in found], as_json=as_json, text=lambda: _list(found))


def _list(found: list[Line]) -> None:
    if not found:
        output.line("Nobody waits for an answer.")
        return
    rows = [
        (
            str(one.id),
            one.state,
            one.name,
            one.owner,
            one.topic,
            _due(one),
            "reproach" if one.negative else "",
            one.last,
        )
        for one in found
    ]
    output.table(("", "state", "contact", "owner", "topic", "due", "", "last said"), rows)


def _due(one: Line) -> str:
    return "" if one.due is None else f"{one.due:%Y-%m-%d %H:%M}" + (" late" if one.late else "")


def show(number: NumberArgument, as_json: output.JsonFlag = False) -> None:
    """Show all that was said and done in a conversation, oldest first."""
    from vinculo import conversation
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.read() as db:
        line, turns = conversation.thread(db, rt.project, number, rt.now())
    told = asdict(line) | {"turns": [asdict(turn) for turn in turns]}
    output.answer(told, as_json=as_json, text=lambda: _show(line, turns))


def _show(line: Line, turns: list[Turn]) -> None:
    about = ", ".join(filter(None, (line.channel, line.topic, line.campaign, line.intent)))
    output.line(f"#{line.id}  {line.state}  {line.name}  ({about})  owner: {line.owner or 'nobody'}  {line.subject}")
    for turn in turns:
        who = line.name if turn.kind == "received" else turn.author
        fate = f" [{turn.delivery_state}]" if turn.delivery_state else ""
        output.line(f"\n{turn.at:%Y-%m-%d %H:%M}  {turn.kind.replace('_', ' ')}  {who}{fate}")
        if turn.text:
            output.line("    " + turn.text.replace("\n", "\n    "))


def times(
    weeks: Annotated[int, typer.Option(min=1, max=520, metavar="N", help="This week and so many before it.")] = 12,
    as_json: output.JsonFlag = False,
) -> None:
    """Tell how soon each owner answered, week by week, against the targets of plan/answers.yaml."""
    from vinculo import conversation
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.read() as db:
        found = conversation.pace(db, rt.project, rt.now(), weeks=weeks)
    output.answer([asdict(one) for one in found], as_json=as_json, text=lambda: _times(found))


def _times(found: list[Week]) -> None:
    headers = ("week of", "owner", "opened", "answered", "in time", "median h", "closed", "in time", "median h", "late")
    rows = [
        (
            *(
                f"{one.monday}",
                one.owner or "nobody",
                one.opened,
                one.answered,
                one.in_time,
                _hours(one.first_response),
            ),
            *(one.closed, one.resolved_in_time, _hours(one.resolution), one.late),
        )
        for one in found
    ]
    output.table(headers, rows)


def _hours(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.1f}"


# ── doing ────────────────────────────────────────────────────────────────────────────────────────────────────────
def answer(
    number: NumberArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say; `-` reads it from standard input.")],
    by: ByOption = "",
    form: Annotated[
        str, typer.Option(metavar="ID", help="A name of yours for this answer: given again, it is not sent again.")
    ] = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Answer the contact, in the thread of what it wrote; sent at once, through the ledger."""
    import uuid

    from vinculo import conversation

    words = sys.stdin.read() if text == "-" else text

    def act(rt: Runtime, db: sa.Connection, now: datetime) -> Answered:
        return conversation.answer(
            db, rt.project, number, words, who=_who(by), now=now, form=form or uuid.uuid4().hex,
            most=rt.renderer.max_text,
        )  # fmt: skip

    with _doing(act, dry_run=dry_run) as (rt, done):
        state = "" if dry_run else _send(rt, done)
    told = asdict(done) | {"state": state, "dry_run": dry_run}
    said = "It would go" if dry_run else "It was sent before" if done.again else f"It is {state}:"
    output.answer(told, as_json=as_json, text=lambda: output.line(f"{said} to {done.address} by {done.channel}"))


def _send(rt: Runtime, done: Answered) -> str:
    """Hand the answer over, and say in which state it is. A provider that is down has it later."""
    from vinculo import conversation, run

    if not done.again:
        try:
            run.drain(rt, worker=f"inbox/{done.turn}", campaign="answer", occurrence=done.occurrence)
        except NotReady as error:
            output.note(str(error))
    with rt.read() as db:
        turns = conversation.thread(db, rt.project, done.conversation, rt.now())[1]
    return next(turn.delivery_state for turn in turns if turn.id == done.turn)


def take(
    number: NumberArgument, by: ByOption = "", dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False
) -> None:
    """Answer it yourself from now on."""
    from vinculo import conversation

    _steer(number, lambda db, now: conversation.take(db, number, _who(by), now), dry_run=dry_run, as_json=as_json)


def hand_over(
    number: NumberArgument,
    to: Annotated[str, typer.Argument(metavar="TO", help="Who answers from now on.")],
    note: NoteOption = "",
    by: ByOption = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Let somebody else answer."""
    from vinculo import conversation

    def act(db: sa.Connection, now: datetime) -> None:
        conversation.hand_over(db, number, to, _who(by), now, note)

    _steer(number, act, dry_run=dry_run, as_json=as_json)


def close(
    number: NumberArgument,
    note: NoteOption = "",
    by: ByOption = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Nothing more is owed; promotions may go to the contact again."""
    from vinculo import conversation

    _steer(
        number, lambda db, now: conversation.close(db, number, _who(by), now, note), dry_run=dry_run, as_json=as_json
    )


def reopen(
    number: NumberArgument, by: ByOption = "", dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False
) -> None:
    """Owe an answer again."""
    from vinculo import conversation

    _steer(number, lambda db, now: conversation.reopen(db, number, _who(by), now), dry_run=dry_run, as_json=as_json)


def _who(by: str) -> str:
    return by or getpass.getuser()


def _steer(number: int, act: Callable[[sa.Connection, datetime], None], *, dry_run: bool, as_json: bool) -> None:
    from vinculo import conversation

    def do(rt: Runtime, db: sa.Connection, now: datetime) -> Line:
        act(db, now)
        return conversation.thread(db, rt.project, number, now)[0]

    with _doing(do, dry_run=dry_run) as (_, line):
        said = f"#{line.id} {'would be' if dry_run else 'is'} {line.state}; owner: {line.owner or 'nobody'}"
    output.answer(asdict(line) | {"dry_run": dry_run}, as_json=as_json, text=lambda: output.line(said))


@contextmanager
def _doing(act: Callable[[Runtime, sa.Connection, datetime], Any], *, dry_run: bool) -> Iterator[tuple[Runtime, Any]]:
    """Do it in one transaction, or do it and take it back."""
    from vinculo.runtime import open_runtime

    with open_runtime() as rt:
        with rt.begin() as db:
            trial = db.begin_nested()
            done = act(rt, db, rt.now())
            if dry_run:
                trial.rollback()
        yield rt, done
