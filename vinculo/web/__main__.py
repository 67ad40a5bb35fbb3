"""`python -m vinculo.web`: serve the web app as vinculo.toml says."""

from __future__ import annotations

import socket
import sys

import uvicorn

from vinculo.errors import NotReady, VinculoError
from vinculo.project.schema import Web
from vinculo.runtime import open_runtime
from vinculo.web import create_app
from vinculo.web.doors import doors
from vinculo.web.gate import require_password


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        with open_runtime() as rt:
            require_password(rt.project.settings.web)
            config = uvicorn.Config(create_app(rt), log_level="warning", access_log=False, server_header=False)
            with _bound(rt.project.settings.web) as bound, doors(rt):
                uvicorn.Server(config).run(sockets=[bound])
    except KeyboardInterrupt:  # uvicorn ends in good order, and then raises the SIGINT that it was ended by
        return 130
    except VinculoError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


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
