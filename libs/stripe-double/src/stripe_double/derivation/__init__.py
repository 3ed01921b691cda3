"""How `wire/parameters.json` and `wire/known_paths.txt` are made.

`python -m stripe_double.derivation` writes them, `--check` only compares. Besides two small files
beside this one the only input is the source of the official SDK, which is read as text and never
imported. Nothing here runs when the double runs.
"""

from __future__ import annotations
