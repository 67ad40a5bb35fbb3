"""Names what failed in the last run of the tests; refuses when it was too much to be chance."""

import json
import sys
from pathlib import Path

#: Failures in more than so many files are no coincidence of a loaded machine. Those of one file share a server: where
#: Prefect's stands still for a minute over its own SQLite ("database is locked"), all that wait for it fail.
MOST = 4

if __name__ == "__main__":
    record = Path(__file__).parents[1] / ".pytest_cache/v/cache/lastfailed"
    failed = sorted(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else []
    sys.stdout.write("".join(f"failed, run once more: {name}\n" for name in failed))
    files = {name.partition("::")[0] for name in failed}
    if not 0 < len(files) <= MOST:
        sys.exit(f"{len(failed)} tests failed in {len(files)} files: that is no coincidence.")
