"""A libSQL server for stand-ins: SQLite behind Hrana 2 over HTTP, without streams that outlive a request."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

Answer = dict[str, Any]


class _Server(http.server.ThreadingHTTPServer):
    """One database in memory; a request has it to itself."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        super().__init__(address, _Handler)
        self.token = token
        self.turn = threading.Lock()
        self.database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Clients look here for the newest protocol that the server has."""
        self._answer(200 if self.path == "/v2" else 404, {})

    def do_POST(self) -> None:
        server = cast("_Server", self.server)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {server.token}":
            return self._answer(401, {"message": "wrong token"})
        with server.turn:
            database, texts = server.database, dict[int, str]()
            results = [_result(database, texts, each) for each in asked["requests"]]
            if database.in_transaction:
                database.rollback()
        return self._answer(200, {"baton": None, "base_url": None, "results": results})

    def _answer(self, status: int, document: Answer) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def libsql_server(address: str, token: str) -> Generator[str]:
    """The URL of an empty database at `address` of this machine, for those who have `token`."""
    with _Server((address, 0), token) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def own_address(seen_from: str) -> str:
    """The address of this machine on the network of the host at `seen_from`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((seen_from, 9))
        return str(probe.getsockname()[0])


def _result(database: sqlite3.Connection, texts: dict[int, str], request: Answer) -> Answer:
    """The answer to one request; `texts` are statements that the pipeline has stored under a number."""
    kind = request["type"]
    try:
        if kind == "execute":
            response: Answer = {"type": kind, "result": _executed(database, texts, request["stmt"])}
        elif kind == "batch":
            response = {"type": kind, "result": _batch(database, texts, request["batch"]["steps"])}
        else:
            if kind == "store_sql":
                texts[request["sql_id"]] = request["sql"]
            response = {"type": kind}
    except sqlite3.Error as error:
        return {"type": "error", "error": {"message": str(error), "code": "SQLITE_ERROR"}}
    return {"type": "ok", "response": response}


def _batch(database: sqlite3.Connection, texts: dict[int, str], steps: list[Answer]) -> Answer:
    results: list[Answer | None] = []
    errors: list[Answer | None] = []
    for step in steps:
        result: Answer | None = None
        error: Answer | None = None
        if _holds(step.get("condition"), results, errors, database):
            try:
                result = _executed(database, texts, step["stmt"])
            except sqlite3.Error as failure:
                error = {"message": str(failure), "code": "SQLITE_ERROR"}
        results.append(result)
        errors.append(error)
    return {"step_results": results, "step_errors": errors}


def _holds(
    condition: Answer | None,
    results: list[Answer | None],
    errors: list[Answer | None],
    database: sqlite3.Connection,
) -> bool:
    if condition is None:
        return True
    kind = condition["type"]
    if kind == "ok":
        return results[condition["step"]] is not None
    if kind == "error":
        return errors[condition["step"]] is not None
    if kind == "is_autocommit":
        return not database.in_transaction
    if kind == "not":
        return not _holds(condition["cond"], results, errors, database)
    each = [_holds(part, results, errors, database) for part in condition["conds"]]
    return all(each) if kind == "and" else any(each)


def _executed(database: sqlite3.Connection, texts: dict[int, str], statement: Answer) -> Answer:
    given: list[Answer] = statement.get("args", [])
    named: list[Answer] = statement.get("named_args", [])
    by_name = {str(each["name"]).lstrip(":@$"): _value(each["value"]) for each in named}
    text = statement["sql"] if "sql" in statement else texts[statement["sql_id"]]
    cursor = database.execute(text, by_name or [_value(each) for each in given])
    return {
        "cols": [{"name": column[0], "decltype": None} for column in cursor.description or ()],
        "rows": [[_sent(value) for value in row] for row in cursor.fetchall()],
        "affected_row_count": max(cursor.rowcount, 0),
        "last_insert_rowid": str(cursor.lastrowid) if cursor.lastrowid else None,
    }


def _value(sent: Answer) -> object:
    kind = sent["type"]
    if kind == "integer":
        return int(sent["value"])
    if kind == "blob":
        return base64.b64decode(sent["base64"] + "==")
    return sent.get("value")


def _sent(value: object) -> Answer:
    if value is None:
        return {"type": "null"}
    if isinstance(value, int):
        return {"type": "integer", "value": str(value)}
    if isinstance(value, float):
        return {"type": "float", "value": value}
    if isinstance(value, bytes):
        return {"type": "blob", "base64": base64.b64encode(value).decode()}
    return {"type": "text", "value": str(value)}
