"""`python -m worker` is `saek`."""

from worker.cli import main

if __name__ == "__main__":
    main()
