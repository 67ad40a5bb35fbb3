"""`python -m vinculo.web`: serve the web app as vinculo.toml says."""

from __future__ import annotations

import gc
import signal
import socket
import sys
from types import FrameType
from typing import Any

import uvicorn

from vinculo.errors import NotReady, ProjectError, VinculoError
from vinculo.project.schema import Web
from vinculo.runtime import open_runtime
from vinculo.web import create_app
from vinculo.web.answering import answering
from vinculo.web.console.gate import require_password
from vinculo.web.incoming.doors import doors

#: Said when a file of the plan is wrong.
PARTLY = "Serving without these files; mend them and start the web app anew:"
#: So many objects more than before, and the youngest are looked through for what is in a ring: once or so a group.
_GARBAGE = 20_000


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        with open_runtime(whole=False) as rt:  # whoever wants to leave need not wait until a file is mended
            require_password(rt.project.settings.web)
            if problems := rt.project.problems:
                print(f"{PARTLY}\n{ProjectError(problems)}", file=sys.stderr)  # noqa: T201
            app = create_app(rt)
            config = uvicorn.Config(app, http=_protocol(), log_level="warning", access_log=False, server_header=False)
            server = uvicorn.Server(config)
            told = _heed(server)
            _settle()
            with answering(rt), _bound(rt.project.settings.web) as bound, doors(rt):
                server.run(sockets=[bound])
            return 130 if signal.SIGINT in told else 0
    except KeyboardInterrupt:
        return 130
    except VinculoError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code


def _heed(server: uvicorn.Server) -> set[int]:
    """End in good order when told to stop, from before the doors open until the last answer is there; return by what.

    uvicorn does so while it serves, and then raises the signal anew: SIGTERM's own way would end us in the middle of a
    message, and a KeyboardInterrupt be lost where Python ignores exceptions.
    """
    told: set[int] = set()

    def stop(number: int, frame: FrameType | None) -> None:
        told.add(number)
        server.handle_exit(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return told


def _protocol() -> Any:
    """What speaks HTTP: ours, where httptools is there for it."""
    try:
        from vinculo.web.incoming.wire import Wire
    except ImportError:
        return "auto"
    return Wire


def _settle() -> None:
    """Look no more through what is made by now and stays: it costs a hit as much as its line in the history."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _bound(web: Web) -> socket.socket:
    """The socket that the app listens on. Raises `NotReady` when its address is taken or not ours."""
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    try:
        return socket.create_server((web.host, web.port), family=family)
    except OSError as error:
        raise NotReady(
            f"The web app cannot listen on {web.host}:{web.port}: {error.strerror}",
            "Stop what listens there, or set web.port (VINCULO__WEB__PORT).",
        ) from None


if __name__ == "__main__":
    sys.exit(main())
