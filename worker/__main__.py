"""Entry point of `python -m worker`, the same as `saek`."""

from worker.cli import main

if __name__ == "__main__":
    main()
