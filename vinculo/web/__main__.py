"""`python -m vinculo.web`: serve the web app as vinculo.toml says."""

from __future__ import annotations

import sys

import uvicorn

from vinculo.errors import NotReady, VinculoError
from vinculo.runtime import open_runtime
from vinculo.web import create_app

_LOCAL = {"127.0.0.1", "::1", "localhost"}


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        with open_runtime() as rt:
            settings = rt.project.settings.web
            if settings.host not in _LOCAL and not settings.password:
                raise NotReady(
                    f"The console would be open to everybody on {settings.host}",
                    "Set web.password (VINCULO__WEB__PASSWORD_FILE), or web.host = 127.0.0.1.",
                )
            uvicorn.run(create_app(rt), host=settings.host, port=settings.port, log_level="warning", access_log=False)
    except VinculoError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
