"""The floor of an idempotent write: FastAPI and SQLAlchemy in one transaction, calling nobody."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, Header
from sqlalchemy import text

from billing_common.storage.engine import make_engine

engine = make_engine(os.environ.get("BENCH_DATABASE_URL", "mysql+asyncmy://"))
app = FastAPI()


@app.post("/checkout")
async def checkout(body: dict[str, Any], idempotency_key: str = Header()) -> dict[str, Any]:
    async with engine.begin() as connection:
        inserted = await connection.execute(
            text("insert into bench_keys (client_key, state) values (:key, 'pending')"),
            {"key": idempotency_key},
        )
        await connection.execute(
            text("insert into bench_sessions (key_id, plan) values (:id, :plan)"),
            {"id": inserted.lastrowid, "plan": body["planCode"]},
        )
        await connection.execute(
            text("update bench_keys set state = 'succeeded' where id = :id"),
            {"id": inserted.lastrowid},
        )
    return {"ok": True}
