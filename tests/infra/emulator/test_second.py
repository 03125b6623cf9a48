"""What moto cannot make, as MiniStack has it once the real provider has made it."""

from __future__ import annotations

from tests.infra.emulator.limits import NEITHER, PLAN_ONLY, SECOND
from tests.infra.emulator.second import Second


def test_what_one_emulator_cannot_make_the_other_does_or_neither():
    assert {*PLAN_ONLY} == {*SECOND, *NEITHER}


def test_redis_comes_up_with_tls_a_replica_and_its_own_parameters(second: Second):
    (redis,) = second.ask("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert (redis["Status"], redis["TransitEncryptionEnabled"], redis["AtRestEncryptionEnabled"]) == (
        "available",
        True,
        True,
    )
    assert redis["MultiAZ"] == redis["AutomaticFailover"] == "enabled"
    assert len(redis["MemberClusters"]) == 2


def test_redis_parameters_are_kept(second: Second):
    pages = second.ask("elasticache").describe_cache_parameters(CacheParameterGroupName="board-prod-redis7")
    found = {each["ParameterName"]: each["ParameterValue"] for each in pages["Parameters"]}
    assert (found["maxmemory-policy"], found["cluster-enabled"]) == ("noeviction", "no")


def test_the_budget_is_there(second: Second):
    (budget,) = second.ask("budgets").describe_budgets(AccountId="123456789012")["Budgets"]
    assert (budget["BudgetName"], float(budget["BudgetLimit"]["Amount"])) == ("board-prod", 600)


def test_mail_has_its_rules(second: Second):
    rules = second.ask("sesv2").get_configuration_set(ConfigurationSetName="board-prod")
    assert rules["ConfigurationSetName"] == "board-prod"
