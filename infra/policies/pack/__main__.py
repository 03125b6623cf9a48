"""The pack, run by the engine: `pulumi preview --stack prod --policy-pack infra/policies/pack`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from pulumi_policy import PolicyPack

from infra.policies.pack_rules import policies

if __name__ == "__main__":
    PolicyPack("slipway", policies())
