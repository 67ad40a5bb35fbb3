"""What stands in the way, told by the system or a library, in our own words: no user's mistake ends in a traceback."""

from __future__ import annotations

import errno
import os

from vinculo.errors import NotReady, UsageError, VinculoError

_ROOM = {errno.ENOSPC, errno.EDQUOT}
_RIGHTS = {errno.EACCES, errno.EPERM, errno.EROFS}
_PATH = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}


def obstacle(error: Exception) -> VinculoError | None:
    """Return what the user must do about *error*; None when it is a bug of ours."""
    from vinculo.connector import SendError

    if isinstance(error, VinculoError):
        return error
    if isinstance(error, SendError):
        return NotReady(f"The provider does not serve us: {error.reason}", "`vinculo doctor` checks every channel.")
    if isinstance(error, UnicodeEncodeError) and error.reason.startswith("surrogates"):  # from the command's arguments
        return UsageError(f"{error.object!a} is not UTF-8", "Write it in a terminal that speaks UTF-8.")
    return _of_the_system(error) if isinstance(error, OSError) else _of_the_database(error)


def _of_the_system(error: OSError) -> VinculoError | None:
    said = os.strerror(error.errno) if error.errno else str(error)
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in _ROOM:
        return NotReady(f"{place or 'Writing: '}{said}", "Make room, and run the same command again.")
    if error.errno in _RIGHTS:
        return NotReady(f"{place}{said}", "Give this user the right, or name another place.")
    if error.errno == errno.EADDRINUSE:
        return NotReady(f"{place}{said}", "Stop what uses the port, or set another in vinculo.toml.")
    if isinstance(error, ConnectionError | TimeoutError):
        return NotReady(f"{place}{said}", "`vinculo doctor` says what is not there.")
    if error.errno in _PATH and error.filename:
        return UsageError(f"{place}{said}", "Give a path in a folder that is there.")
    return None


def _of_the_database(error: Exception) -> VinculoError | None:
    import sqlalchemy as sa

    from vinculo.db import failure

    if isinstance(error, sa.exc.DBAPIError) and failure.is_outside(error):
        return failure.not_ready(error)
    return None
