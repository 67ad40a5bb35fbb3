"""`python -m vinculo`."""

from vinculo.cli import main

main()
