"""People with a browser."""

import re
from typing import Any

from slipway.traffic import HttpUser

FILE_OF_THE_PAGE = re.compile(r"""(?:src|href)=["'](/[^"'#?]+\.(?:js|mjs|css|svg|png|ico|woff2))["']""")


class Browser(HttpUser):
    """A visitor with a browser: opens the public pages one after the other, with their files."""

    weight = 4

    def on_start(self) -> None:
        """A browser asks for a file once, and has it from then on."""
        self.cached: set[str] = set()

    def visit(self) -> None:
        """Opens each page of `load.paths` in slipway.toml."""
        for path in self.target.app.load_paths:
            page = self.page(path)
            for file in files_of(page):
                if file not in self.cached:
                    self.get(file, name="(files of a page)")
                    self.cached.add(file)

    def page(self, path: str) -> Any:
        """The answer to GET `path`. An error says what to set if there is no such page."""
        with self.get(path, catch_response=True) as answer:
            if answer.status_code == 404:
                answer.failure("answered 404: set load.paths in slipway.toml")
            return answer


def files_of(page: Any) -> list[str]:
    """Paths of the scripts, styles and pictures that an HTML page names."""
    kind = page.headers.get("content-type", "") if page.headers else ""
    return sorted(set(FILE_OF_THE_PAGE.findall(page.text))) if kind.startswith("text/html") else []
