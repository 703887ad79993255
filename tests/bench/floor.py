"""The floor under every figure: a bare FastAPI route with one asyncpg statement, nothing checked and nothing kept."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from fastapi import FastAPI, Response

STATEMENT = "select content from resource_observation where tenant_id = 1 and type_id = 1 and id = $1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["HEARTH_DATABASE_URL"], min_size=16, max_size=16) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/floor/{key}")
async def read(key: UUID) -> Response:
    content = await app.state.pool.fetchval(STATEMENT, key)
    return Response(content, media_type="application/octet-stream")
