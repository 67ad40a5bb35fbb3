"""`vinculo up` and `vinculo demo`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output
from vinculo.cli.db import adopt
from vinculo.errors import VinculoError

if TYPE_CHECKING:
    from pathlib import Path

    from vinculo.demo.stage import Stage
    from vinculo.launch import Installation


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("up")(up)
    app.command("demo")(demo)


class _DemoStopped(VinculoError):
    """The demo was ended: the one command that the next time begins anew."""

    exit_code = output.STOPPED


def _hear_signals() -> None:
    """End in order on Ctrl-C, SIGTERM and a closed terminal; a shell starts background jobs with Ctrl-C ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def up(
    only_copy: Annotated[
        bool, typer.Option("--i-am-the-only-copy", help="Adopt a copied or restored database first, see `db adopt`.")
    ] = False,
) -> None:
    """Start the Prefect server, the deployments, a worker and the web app, and keep them alive until Ctrl-C."""
    from vinculo.launch import Supervisor
    from vinculo.runtime import open_runtime

    _hear_signals()
    if only_copy:
        adopt(sure=True)
    with open_runtime() as rt:
        installation = _installation(rt.project.root, rt.project.settings.prefect.api_url, rt.project.settings.web.url)
        _require_free(installation, rt.project.settings.web.port)
    with Supervisor(output.note) as supervisor:
        output.note("Starting the Prefect server, the deployments, a worker and the web app …")
        installation.start(supervisor)
        output.line(f"Prefect UI  {installation.api.url.removesuffix('/api')}")
        output.line(f"Console     {installation.web_url}/")
        output.note("Ctrl-C ends all of it.")
        supervisor.watch()


def _installation(root: Path, api_url: str, web_url: str) -> Installation:
    from urllib.parse import urlsplit

    from vinculo.launch import Installation

    return Installation(root, root / "var", urlsplit(api_url).port or 4200, web_url, {})


def _require_free(installation: Installation, web_port: int) -> None:
    from vinculo.errors import NotReady
    from vinculo.launch import port_is_free

    for name, port in {"prefect.api_url": installation.prefect_port, "web.port": web_port}.items():
        if not port_is_free(port):
            raise NotReady(f"Port {port} is in use", f"Stop what uses it, or set {name} to another in vinculo.toml.")


def demo(
    once: Annotated[bool, typer.Option("--once", help="End by itself when everything has been shown.")] = False,
    contacts: Annotated[int, typer.Option(min=50, metavar="N", help="How many contacts the company has.")] = 5000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed lays the same company.")] = 7,
) -> None:
    """Lay the demo company, send a newsletter, a promotion and a survey, let its contacts answer."""
    from vinculo import project
    from vinculo.demo import stage
    from vinculo.launch import Supervisor

    _hear_signals()
    start = time.monotonic()

    def say(text: str) -> None:
        output.note(f"{time.monotonic() - start:5.0f} s  {text}")

    root = project.find_root()
    try:
        with stage.prepared(root, contacts=contacts, seed=seed, say=say) as scene, Supervisor(say) as supervisor:
            os.environ.update(scene.installation.environment)
            names = stage.play(scene, supervisor)
            _show(scene, names)
            if not once:
                output.note("\nEverything stays up until Ctrl-C.")
                supervisor.watch()
    except KeyboardInterrupt:
        kept = "What it did stays in var/demo until the next `vinculo demo`, which lays the company anew."
        raise _DemoStopped("Stopped.", kept) from None


def _show(scene: Stage, names: list[str]) -> None:
    from vinculo.demo import stage

    headers, *rows = [
        (cells[0][0], *(value for _, value in cells)) for cells in zip(*stage.figures(scene, names), strict=True)
    ]
    output.table(headers, rows)
    for what, url in stage.links(scene).items():
        output.line(f"{what:20} {url}")
