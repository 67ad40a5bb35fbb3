"""Make a crowd by hand, or say that it is there."""

from __future__ import annotations

import argparse
import time

import sqlalchemy as sa

from bench.crowd import Crowd, crowd


def main() -> None:
    usual = Crowd()
    parser = argparse.ArgumentParser(prog="python -m bench.crowd", description=__doc__)
    parser.add_argument("--contacts", type=int, default=usual.contacts)
    parser.add_argument("--events", type=int, default=usual.events)
    parser.add_argument("--deliveries", type=int, default=usual.deliveries)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    asked = vars(parser.parse_args())
    since, database = time.perf_counter(), asked.pop("database")
    with crowd(Crowd(**asked), database) as engine, engine.connect() as db:
        print(engine.url.render_as_string())
        for table in ("contact", "address", "permission", "interaction", "occurrence", "delivery"):
            print(f"{table:12} {db.scalar(sa.text(f'SELECT count(*) FROM {table}')):12,}")
    print(f"{time.perf_counter() - since:.0f} s")


if __name__ == "__main__":
    main()
