"""How the meter names itself to servers."""

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("slipway")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"


USER_AGENT = f"slipway-meter/{_version()}"
