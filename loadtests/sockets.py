"""People who leave the page open, and what they hear of each other."""

import time

from slipway.traffic import App, HttpUser, SocketUser, fill_body, pick


class Watcher(SocketUser):
    """Leaves the page open: hears what others do, and asks each second whether the line still stands."""

    weight = 49

    def visit(self) -> None:
        """Until the connection ends; then it comes back."""
        with self.connect() as socket:
            for _ in socket.every(self.echo_seconds):
                socket.echo()


class SlowReader(SocketUser):
    """A client on a train: receives nothing for seconds, then everything at once. It must lose nothing."""

    weight = 1
    tunnel_seconds = 3.0

    def visit(self) -> None:
        """From tunnel to tunnel; nothing is asked in them."""
        with self.connect(receive_buffer=4096) as socket:
            while True:
                socket.stall(self.tunnel_seconds)
                socket.listen(self.tunnel_seconds)


class Author(HttpUser):
    """Writes something that everybody who watches must hear of, and takes it back."""

    @classmethod
    def suits(cls, app: App) -> bool:
        """It writes by `checks.write` of slipway.toml, which says what others hear."""
        return app.checks.write is not None and app.websocket is not None

    @classmethod
    def own_rate(cls, app: App) -> float | None:
        """Each of its visits means a message to every socket, so they do not grow with the load."""
        return app.load.broadcasts

    def visit(self) -> None:
        """Writes with a mark by which each socket knows it again."""
        write = self.target.app.checks.write
        assert write is not None
        headers = self.signed_in()
        due = self.client.due or time.perf_counter()
        tag, began = self.load.broadcasts.tag(due), time.perf_counter()
        method, _, path = write.request.partition(" ")
        body = fill_body(write.body, {"n": tag})
        answer = self.client.request(method, path, headers=headers, json=body)
        if answer.status_code != write.status:
            return
        self.load.broadcasts.wrote(tag, began)
        if write.undo:
            method, _, template = write.undo.partition(" ")
            path = template.replace("${id}", pick(answer.json(), "id"))
            self.client.request(method, path, template, headers=headers)
