"""How fast, measured: `make bench`. Each module here is one benchmark with `measure() -> Figures`."""
