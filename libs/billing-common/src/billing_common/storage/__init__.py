"""MySQL: tables, migrations, transactions. The only home of the schema."""

from __future__ import annotations
