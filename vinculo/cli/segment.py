"""`vinculo segment`: who is in a segment, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import given, output

if TYPE_CHECKING:
    import sqlalchemy as sa

    from vinculo.errors import Problem
    from vinculo.model import Moment
    from vinculo.project import Project
    from vinculo.runtime import Runtime

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a file in segments/, without its ending.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to *app*."""
    group = typer.Typer(no_args_is_help=True, help="Who is in a segment, and why.")
    group.command("list")(list_segments)
    group.command("count")(count)
    group.command("sample")(sample)
    group.command("explain")(explain)
    app.add_typer(group, name="segment")


def list_segments(as_json: output.JsonFlag = False) -> None:
    """List the segments, what each is for, and which campaigns use it."""
    from vinculo import project

    found = project.load(project.find_root(), whole=False)
    rows = [
        {
            "segment": name,
            "description": segment.description,
            "form": "sql" if segment.sql is not None else "yaml",
            "used_by": _used_by(found, name),
        }
        for name, segment in sorted(found.segments.items())
    ]
    cells = [[row["segment"], row["description"], row["form"], ", ".join(row["used_by"])] for row in rows]
    headers = ["segment", "description", "form", "used by"]
    output.answer(rows, as_json=as_json, text=lambda: output.table(headers, cells))
    if wrong := sorted({each.file for each in found.problems if each.file.startswith("segments/")}):
        output.note(f"Left out, since they are wrong: {', '.join(wrong)}. `vinculo check` says why.")
    if unread := sorted({each.file for each in found.problems if each.file.startswith(("plan/", "templates/"))}):
        output.note(f"Whom these use is not told, since they are wrong: {', '.join(unread)}.")


def _used_by(found: Project, name: str) -> list[str]:
    campaigns = {c.name for c in found.campaigns.values() if name in {c.segment, *c.exclude}}
    journeys = {
        j.name for j in found.journeys.values() if name in {j.segment, j.leave, *(step.only for step in j.steps)}
    }
    return sorted(campaigns | journeys)


def count(name: _Name, as_json: output.JsonFlag = False) -> None:
    """Count the contacts of the segment NAME now."""
    import sqlalchemy as sa

    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.read() as db:
        found = _select(rt, name).subquery()
        number = _run(rt, db, sa.select(sa.func.count()).select_from(found))[0][0]
    output.answer({"segment": name, "count": number}, as_json=as_json, text=lambda: output.line(f"{number:,}"))


def sample(
    name: _Name,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many contacts to show.")] = 10,
    as_json: output.JsonFlag = False,
) -> None:
    """Show some contacts of the segment NAME, always the same ones."""
    import sqlalchemy as sa

    from vinculo.db.tables import contact
    from vinculo.runtime import open_runtime
    from vinculo.segment import bucket

    headers = ["id", "key", "kind", "given_name", "country", "language"]
    with open_runtime(whole=False) as rt, rt.read() as db:
        chosen = sa.select(*(contact.c[header] for header in headers)).where(contact.c.id.in_(_select(rt, name)))
        rows = _run(rt, db, chosen.order_by(bucket(contact.c.id, "sample"), contact.c.id).limit(limit))
    answer = [dict(zip(headers, row, strict=True)) for row in rows]
    output.answer(
        answer, as_json=as_json, text=lambda: output.table(headers, [[f"#{row[0]}", *row[1:]] for row in rows])
    )


def explain(
    name: _Name,
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="Key, alias, address or #id.")] = "",
    language: Annotated[str, typer.Option(metavar="L", help="pt, en or es; default: the company's.")] = "",
    as_json: output.JsonFlag = False,
) -> None:
    """Say in words and in SQL what the segment NAME means, or why CONTACT is in it or not."""
    from vinculo import segment
    from vinculo.runtime import open_runtime

    asked = given.language(language, segment.LANGUAGES)
    with open_runtime(whole=False) as rt:
        _require_sound(rt.project, name)
        tongue = asked or rt.project.settings.company.language
        if contact:
            _explain_contact(rt, name, contact, tongue, as_json=as_json)
        else:
            _explain_segment(rt, name, tongue, as_json=as_json)


def _explain_segment(rt: Runtime, name: str, language: str, *, as_json: bool) -> None:
    from vinculo import segment

    words = segment.explain(rt.project.segments, name, language)
    query = segment.sql(rt.project.segments, name, _moment(rt), rt.engine.dialect.name)
    answer = {"segment": name, "description": rt.project.segments[name].description, "words": words, "sql": query}
    output.answer(answer, as_json=as_json, text=lambda: output.line("\n".join([*words, "", query])))


def _explain_contact(rt: Runtime, name: str, key: str, language: str, *, as_json: bool) -> None:
    from vinculo import contacts, segment

    with rt.read() as db, segment.limits(db, rt.project.settings.limits.sql_seconds):
        contact_id = contacts.require(db, key)
        segments = rt.project.segments
        verdicts = segment.explain_contact(db, segments, name, _moment(rt), contact_id, language=language)
    marked = [f"{'  ' * verdict.depth}{'✓' if verdict.holds else '✗'} {verdict.words}" for verdict in verdicts]
    output.answer(verdicts, as_json=as_json, text=lambda: output.line("\n".join(marked)))


def _moment(rt: Runtime) -> Moment:
    from zoneinfo import ZoneInfo

    from vinculo.model import Moment

    now = rt.now()
    return Moment(now, now.astimezone(ZoneInfo(rt.project.settings.company.timezone)).date())


def _select(rt: Runtime, name: str) -> sa.Select[tuple[int]]:
    from vinculo.segment import compile_segment

    _require_sound(rt.project, name)
    return compile_segment(rt.project.segments, name, _moment(rt))


def _run(rt: Runtime, db: sa.Connection, select: sa.Select[Any]) -> list[tuple[Any, ...]]:
    from vinculo.segment import limits

    with limits(db, rt.project.settings.limits.sql_seconds):
        return [tuple(row) for row in db.execute(select)]


def _require_sound(project: Project, name: str) -> None:
    """Raise `ProjectError` where the segment *name*, or one that it asks for, is wrong; no other file matters."""
    from vinculo.errors import ProjectError
    from vinculo.segment import references

    wrong: list[Problem] = []
    seen, left = set[str](), [name]
    while left:
        one = left.pop()
        seen.add(one)
        wrong += [each for each in project.problems if each.concerns("segments", one)]
        asked = references(project.segments[one]) if one in project.segments else ()
        left += [other for _, kind, other in asked if kind == "segment" and other not in seen]
    if wrong:
        raise ProjectError(wrong)
