"""`python -m holdfast_cli` is the same command as `holdfast`."""

from __future__ import annotations

from holdfast_cli.app import main

if __name__ == "__main__":
    main()
