from collections.abc import Iterator

import pytest

from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession, check_account, session_of
from slipway.settings import BadInput
from tests.infra.platform.fake_aws import FakeAws, serve
from tests.infra.platform.world import World


@pytest.fixture
def fake(aws_env: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with serve() as server:
        aws_env.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def refused(fake: FakeAws, code: str) -> AwsInput | AwsRefused:
    fake.answers["GetParameter"] = fake.refusing(code, "as AWS says")
    with pytest.raises((AwsInput, AwsRefused)) as caught:
        AwsSession("us-east-1").call("ssm", "get_parameter", Name="/n")
    return caught.value


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        ("ExpiredTokenException", "have expired", "aws sso login"),
        ("UnrecognizedClientException", "does not know these credentials in region us-east-1", "switched"),
        ("AccessDeniedException", "may not do ssm:GetParameter", "ssm:GetParameter"),
        ("OptInRequired", "does not know these credentials", "switched on for the account"),
    ],
)
def test_what_a_person_has_to_mend_is_told_with_its_remedy(fake: FakeAws, code: str, said: str, remedy: str):
    failure = refused(fake, code)
    assert failure.exit_code == 2
    assert said in failure.message
    assert remedy in failure.remedy


def test_the_unexpected_is_told_in_aws_own_words(fake: FakeAws):
    failure = refused(fake, "InternalMystery")
    assert (failure.exit_code, failure.code) == (1, "InternalMystery")
    assert failure.message == "ssm:GetParameter: InternalMystery: as AWS says"


def test_throttled_calls_are_tried_again(fake: FakeAws):
    fake.answers["GetParameter"] = fake.refusing("ThrottlingException", times=2)
    assert AwsSession("us-east-1").call("ssm", "get_parameter", Name="/n")
    assert fake.heard == ["GetParameter"] * 3


def test_throttling_that_does_not_end_may_pass_later(fake: FakeAws, aws_env: pytest.MonkeyPatch):
    aws_env.setattr("slipway.platforms.aws.session.ATTEMPTS", 2)
    failure = refused(fake, "ThrottlingException")
    assert failure.exit_code == 1
    assert "in a minute" in failure.remedy
    assert len(fake.heard) == 2


def test_a_value_that_was_sent_is_never_told_although_aws_repeats_it(fake: FakeAws):
    fake.answers["PutSecretValue"] = fake.refusing("ValidationException", "'hunter2-hunter2' is too long")
    with pytest.raises(AwsRefused) as caught:
        AwsSession("us-east-1").call(
            "secretsmanager", "put_secret_value", SecretId="s", SecretString="hunter2-hunter2"
        )
    told = f"{caught.value!r} {caught.value.message} {caught.value.remedy} {caught.value.__cause__}"
    assert "hunter2" not in told
    assert caught.value.__suppress_context__


def test_nobody_signed_in_is_told_so(aws_env: pytest.MonkeyPatch):
    aws_env.delenv("AWS_ACCESS_KEY_ID")
    aws_env.delenv("AWS_SECRET_ACCESS_KEY")
    session = AwsSession("us-east-1")
    for attempt in (lambda: session.call("ssm", "get_parameter", Name="/n"), session.credentials):
        with pytest.raises(AwsInput, match="no AWS credentials were found") as caught:
            attempt()
        assert "aws sso login" in caught.value.remedy


def test_a_profile_that_is_not_there_is_told(aws_env: pytest.MonkeyPatch):
    with pytest.raises(AwsInput, match="profile") as caught:
        AwsSession("us-east-1", "nobody").call("ssm", "get_parameter", Name="/n")
    assert "list-profiles" in caught.value.remedy


def test_an_aws_that_cannot_be_reached_may_come_back(aws_env: pytest.MonkeyPatch):
    aws_env.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws_env.setattr("slipway.platforms.aws.session.ATTEMPTS", 1)
    with pytest.raises(AwsRefused, match="cannot be reached for ssm:GetParameter in us-east-1") as caught:
        AwsSession("us-east-1").call("ssm", "get_parameter", Name="/n")
    assert caught.value.exit_code == 1


def test_the_right_account_is_taken_and_another_refused_with_both_named(world: World):
    session, stack = session_of(world.project), world.project.stack
    check_account(session, stack)
    assert stack.aws
    other = stack.model_copy(update={"aws": stack.aws.model_copy(update={"account": "210987654321"})})
    with pytest.raises(
        BadInput, match=r"account 123456789012 .* may only be in account 210987654321"
    ) as caught:
        check_account(session, other)
    assert caught.value.exit_code == 2
    assert "AWS_PROFILE" in caught.value.remedy
