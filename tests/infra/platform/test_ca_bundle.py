import ssl
from pathlib import Path

import pytest
import trustme

from slipway.platforms.aws.kits import KEY, PUBLIC, ca_bundle, ensure_ca_bundle
from slipway.platforms.aws.open import builds_bucket
from slipway.platforms.aws.session import session_of
from slipway.settings import BadInput, SlipwayError
from slipway.storage.bucket import Bucket
from tests.infra.platform.world import REGION, World


@pytest.fixture
def bucket(world: World) -> Bucket:
    return builds_bucket(session_of(world.project), world.provision())


def test_hosts_trust_rds_own_authorities_and_amazons_public_ones(bucket: Bucket, tmp_path: Path):
    rds = trustme.CA(organization_name="RDS")
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return rds.cert_pem.bytes()

    path = ensure_ca_bundle(bucket, REGION, tmp_path, fetch)
    assert asked == ["https://truststore.pki.rds.amazonaws.com/us-east-1/us-east-1-bundle.pem"]
    context = ssl.create_default_context(cafile=str(path))
    subjects = str([facts["subject"] for facts in context.get_ca_certs()])
    assert [name for name in PUBLIC if name not in subjects] == []
    assert len(context.get_ca_certs()) == len(PUBLIC) + 1
    assert rds.cert_pem.bytes().strip() in path.read_bytes()


def test_it_is_fetched_once_and_then_the_same_for_every_operator(bucket: Bucket, tmp_path: Path):
    authority = trustme.CA().cert_pem.bytes()
    first = ensure_ca_bundle(bucket, REGION, tmp_path / "one", lambda url: authority)
    again = ensure_ca_bundle(bucket, REGION, tmp_path / "two", lambda url: pytest.fail("fetched again"))
    assert first.read_bytes() == again.read_bytes()
    assert ca_bundle(bucket, tmp_path / "three", "prod").read_bytes() == first.read_bytes()


def test_a_proxys_error_page_is_not_trusted(bucket: Bucket, tmp_path: Path):
    with pytest.raises(SlipwayError, match="holds no certificates"):
        ensure_ca_bundle(bucket, REGION, tmp_path, lambda url: b"<html>sign in</html>")
    assert bucket.get_bytes(KEY) is None


def test_a_release_before_the_first_up_says_so(bucket: Bucket, tmp_path: Path):
    with pytest.raises(BadInput, match=r"has no setup/ca\.pem") as caught:
        ca_bundle(bucket, tmp_path, "prod")
    assert caught.value.remedy == "slipway up --stack prod"
