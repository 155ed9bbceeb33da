"""`python -m mlgit`."""

from mlgit.cli.main import main

if __name__ == "__main__":
    main()
