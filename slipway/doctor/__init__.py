"""The doctor: looks at everything a release needs, and says what is wrong and what to do about it."""

from slipway.doctor.checks import diagnose, examine
from slipway.platforms.platform import Diagnosis

__all__ = ["Diagnosis", "diagnose", "examine"]
