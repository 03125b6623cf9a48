"""The Debian of the hosts that tests make: the default, or what SLIPWAY_TEST_DEBIAN says."""

import os

from slipway.settings.debian import DEFAULT, RELEASES

VERSION = int(os.environ.get("SLIPWAY_TEST_DEBIAN", DEFAULT))
DEBIAN = RELEASES[VERSION]
IMAGE = DEBIAN.image
