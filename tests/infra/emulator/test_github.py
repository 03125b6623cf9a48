"""GitHub's identity provider and roles, as AWS has them."""

from __future__ import annotations

from tests.infra.emulator.applied import Applied


def test_the_account_has_one_provider_for_github(applied: Applied):
    iam = applied.ask("iam")
    providers = [each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    if applied.aws.github is not None and applied.aws.github.provider == "existing":
        assert providers == []
        return
    assert providers == ["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"]
    told = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=providers[0])
    assert told["ClientIDList"] == ["sts.amazonaws.com"]


def test_nobody_has_a_key_that_could_be_stolen(applied: Applied):
    assert applied.ask("iam").list_users()["Users"] == []
