"""``python -m geostore``: the command line."""

from geostore.cli import main

if __name__ == "__main__":
    main()
