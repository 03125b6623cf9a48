"""A page by aiohttp, which brings its own server."""

import os

from aiohttp import web


async def front(request: web.Request) -> web.Response:
    return web.Response(text="bare", headers={"X-Content-Type-Options": "nosniff"})


async def health(request: web.Request) -> web.Response:
    return web.Response(text="ok", headers={"X-Content-Type-Options": "nosniff"})


app = web.Application()
app.add_routes([web.get("/", front), web.get("/health", health)])

if __name__ == "__main__":
    web.run_app(app, host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ["PORT"]), access_log=None)
