"""How the meter names itself to servers."""

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("slipway")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"


METER_AGENT = f"slipway-meter/{_version()}"
LOAD_AGENT = f"slipway-load/{_version()}"
"""By which the app's logs and statistics know a load test."""
