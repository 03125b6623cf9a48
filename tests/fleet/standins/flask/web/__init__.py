"""A guest book's front page, by an application factory's plain sibling: one module, one app."""

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.after_request
def no_sniffing(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@app.get("/")
def front() -> Response:
    return Response("guests", content_type="text/plain; charset=utf-8")


@app.get("/health")
def health() -> Response:
    return jsonify(status="ok")
