"""Short links: an API that validates what it is sent."""

from typing import Annotated

from fastapi import FastAPI, Path, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, HttpUrl

app = FastAPI(title="links", docs_url=None, redoc_url=None, openapi_url=None)
links: dict[str, str] = {}


class Link(BaseModel):
    url: HttpUrl


@app.middleware("http")
async def no_sniffing(request: Request, call_next):
    response: Response = await call_next(request)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@app.get("/", response_class=PlainTextResponse)
async def front() -> str:
    return "links"


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.put("/links/{name}", status_code=201)
async def keep(name: Annotated[str, Path(pattern=r"^[a-z]{1,20}$")], link: Link) -> Link:
    links[name] = str(link.url)
    return link
