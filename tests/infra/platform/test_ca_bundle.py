import ssl

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


def test_hosts_trust_rds_own_authorities_and_amazons_public_ones(bucket: Bucket, world: World):
    rds = trustme.CA(organization_name="RDS")
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return rds.cert_pem.bytes()

    path = ensure_ca_bundle(bucket, REGION, world.project, fetch)
    assert asked == ["https://truststore.pki.rds.amazonaws.com/us-east-1/us-east-1-bundle.pem"]
    context = ssl.create_default_context(cafile=str(path))
    subjects = str([facts["subject"] for facts in context.get_ca_certs()])
    assert [name for name in PUBLIC if name not in subjects] == []
    assert len(context.get_ca_certs()) == len(PUBLIC) + 1
    assert rds.cert_pem.bytes().strip() in path.read_bytes()


def test_it_is_fetched_once_and_then_the_same_for_every_operator(bucket: Bucket, world: World):
    authority = trustme.CA().cert_pem.bytes()
    first = ensure_ca_bundle(bucket, REGION, world.project, lambda url: authority).read_bytes()
    again = ensure_ca_bundle(bucket, REGION, world.project, lambda url: pytest.fail("fetched again"))
    assert again.read_bytes() == first == ca_bundle(bucket, world.project).read_bytes()


def test_an_authority_that_a_thief_of_the_writer_key_puts_there_is_not_trusted(bucket: Bucket, world: World):
    authority = trustme.CA().cert_pem.bytes()
    first = ensure_ca_bundle(bucket, REGION, world.project, lambda url: authority).read_bytes()
    bucket.put_bytes(KEY, trustme.CA(organization_name="thief").cert_pem.bytes())
    with pytest.raises(BadInput, match=r"setup/ca\.pem in the builds bucket is not signed"):
        ca_bundle(bucket, world.project)
    assert ensure_ca_bundle(bucket, REGION, world.project, lambda url: authority).read_bytes() == first
    assert ca_bundle(bucket, world.project).read_bytes() == first


def test_a_proxys_error_page_is_not_trusted(bucket: Bucket, world: World):
    with pytest.raises(SlipwayError, match="holds no certificates"):
        ensure_ca_bundle(bucket, REGION, world.project, lambda url: b"<html>sign in</html>")
    assert bucket.get_bytes(KEY) is None


def test_a_release_before_the_first_up_says_so(bucket: Bucket, world: World):
    with pytest.raises(BadInput, match=r"has no setup/ca\.pem") as caught:
        ca_bundle(bucket, world.project)
    assert caught.value.remedy == "slipway up --stack prod"
