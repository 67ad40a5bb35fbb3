"""`python -m vinculo.web`: serve the web app as vinculo.toml says."""

from __future__ import annotations

import sys

import uvicorn

from vinculo.errors import VinculoError
from vinculo.runtime import open_runtime
from vinculo.web import create_app
from vinculo.web.gate import require_password


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        with open_runtime() as rt:
            settings = rt.project.settings.web
            require_password(settings)
            uvicorn.run(create_app(rt), host=settings.host, port=settings.port, log_level="warning", access_log=False)
    except VinculoError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
