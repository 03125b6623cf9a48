"""Database, key and secrets as AWS has them."""

from __future__ import annotations

import pytest

from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied


def test_the_database_is_private_and_encrypted(applied: Applied):
    database = found.database(applied)
    assert database["StorageEncrypted"] is True
    assert database["KmsKeyId"] == found.key(applied)["Arn"]
    assert database["PubliclyAccessible"] is False


def test_the_database_takes_only_tls(applied: Applied):
    (group,) = found.database(applied)["DBParameterGroups"]
    pages = applied.ask("rds").describe_db_parameters(DBParameterGroupName=group["DBParameterGroupName"])
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in pages["Parameters"]}
    assert parameters["rds.force_ssl"] == "1"


def test_the_database_can_be_brought_back_to_any_second(applied: Applied):
    database, wanted = found.database(applied), applied.aws.database
    assert database["BackupRetentionPeriod"] == wanted.backup_days
    assert database["PreferredBackupWindow"] == wanted.backup_window
    assert database["PreferredMaintenanceWindow"] == wanted.maintenance_window
    assert database["CopyTagsToSnapshot"] is True


def test_production_survives_a_zone_and_a_slip(applied: Applied):
    database, production = found.database(applied), applied.stack == "prod"
    assert database["MultiAZ"] is production
    assert database["DeletionProtection"] is production


def test_nobody_wrote_the_masters_password_down(applied: Applied):
    database = found.database(applied)
    assert database["MasterUserSecret"]["SecretArn"].startswith("arn:aws:secretsmanager:")
    (state,) = applied.state.of("aws_db_instance")
    assert state["manage_master_user_password"] is True
    assert state["password"] is None


def test_the_database_tells_what_it_does(applied: Applied):
    database = found.database(applied)
    assert set(database["EnabledCloudwatchLogsExports"]) == {"postgresql", "upgrade"}
    assert database["AutoMinorVersionUpgrade"] is True


def test_connections_are_pooled_where_it_is_asked_for(applied: Applied):
    proxies = applied.ask("rds").describe_db_proxies()["DBProxies"]
    if applied.aws.database.pooler == "none":
        assert proxies == []
        return
    (proxy,) = proxies
    assert proxy["RequireTLS"] is True
    assert proxy["EngineFamily"] == "POSTGRESQL"
    (auth,) = proxy["Auth"]
    assert auth["SecretArn"] == applied.outputs["cloud"]["database_secret"]


def test_the_key_is_the_stacks_own_and_turns_every_year(applied: Applied):
    key, kms = found.key(applied), applied.ask("kms")
    assert key["KeyManager"] == "CUSTOMER"
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True


def secrets(applied: Applied) -> dict[str, str]:
    """Ids by name, without the one that RDS keeps."""
    listed = applied.ask("secretsmanager").list_secrets()["SecretList"]
    return {each["Name"]: each["ARN"] for each in listed if each["Name"].startswith("slipway/")}


def test_every_secret_is_a_shell_under_the_stacks_name(applied: Applied):
    path = f"slipway/board/{applied.stack}"
    wanted = {f"{path}/app", f"{path}/boot/web", f"{path}/boot/worker"}
    pooled = {f"{path}/database"} if applied.aws.database.pooler == "rds_proxy" else set[str]()
    assert wanted | pooled <= set(secrets(applied)) <= {*wanted, f"{path}/database"}


def test_no_secret_has_a_value_yet(applied: Applied):
    store = applied.ask("secretsmanager")
    for arn in secrets(applied).values():
        with pytest.raises(store.exceptions.ResourceNotFoundException):
            store.get_secret_value(SecretId=arn)


def test_every_secret_is_encrypted_with_the_stacks_key(applied: Applied):
    store = applied.ask("secretsmanager")
    for arn in secrets(applied).values():
        assert store.describe_secret(SecretId=arn)["KmsKeyId"] == found.key(applied)["Arn"]
