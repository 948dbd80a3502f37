"""``python -m genrec``: the same as ``genrec``, for launchers that start a module (``torchrun -m genrec``)."""

from genrec.cli.main import main

if __name__ == "__main__":
    main()
