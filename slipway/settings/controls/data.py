"""Controls on what keeps data: database, Redis, buckets, keys and secrets."""

from slipway.settings.controls import tokens as on
from slipway.settings.controls.control import (
    AtLeast,
    Control,
    Is,
    Lists,
    Matches,
    NotEmpty,
    Section,
)

DATABASE = Section("Database", ("infra/aws/database.py", "infra/aws/database_proxy.py"), (
    Control(
        "database-encrypted", ("RDS.3",), "high", "The database's disk and backups are encrypted.",
        on=(on.DATABASE,), path="storageEncrypted", holds=Is(value=True),
    ),
    Control(
        "database-private", ("RDS.2", "I5"), "critical", "The database has no public address.",
        on=(on.DATABASE,), path="publiclyAccessible", holds=Is(value=False),
    ),
    Control(
        "database-deletion-protection", ("RDS.8",), "high", "AWS refuses to delete production's database.",
        on=(on.DATABASE,), path="deletionProtection", holds=Is(value=True), production=True,
        setting="database.deletion_protection", demands=Is(value=True),
        risk="AWS would allow the database to be deleted",
    ),
    Control(
        "database-final-snapshot", ("I12",), "high",
        "A snapshot is taken when production's database is deleted.",
        on=(on.DATABASE,), path="skipFinalSnapshot", holds=Is(value=False), production=True,
        setting="database.final_snapshot", demands=Is(value=True),
        risk="a deleted database could not be restored",
    ),
    Control(
        "database-final-snapshot-named", ("I12",), "medium",
        "The final snapshot has a name; without one AWS refuses the deletion.",
        on=(on.DATABASE,), path="finalSnapshotIdentifier", holds=NotEmpty(),
        when=("skipFinalSnapshot", Is(value=False)),
    ),
    Control(
        "database-keeps-backups", ("RDS.11", "I12"), "high",
        "Automated backups are kept after production's database is deleted.",
        on=(on.DATABASE,), path="deleteAutomatedBackups", holds=Is(value=False), production=True,
    ),
    Control(
        "database-backups", ("RDS.11", "I12"), "high", "The database is backed up every day.",
        on=(on.DATABASE,), path="backupRetentionPeriod", holds=AtLeast(1), setting="database.backup_days",
    ),
    Control(
        "database-week-of-backups", ("RDS.11", "I12"), "medium",
        "Production's backups are kept for at least a week.",
        on=(on.DATABASE,), path="backupRetentionPeriod", holds=AtLeast(7), production=True,
        setting="database.backup_days", demands=AtLeast(7), risk="mistakes are often noticed days later",
    ),
    Control(
        "database-rotates-master-password", ("SecretsManager.1", "I9"), "high",
        "RDS keeps and rotates the master user's password.",
        on=(on.DATABASE,), path="manageMasterUserPassword", holds=Is(value=True),
    ),
    Control(
        "database-password-never-in-state", ("I9",), "critical",
        "No password of the database passes through Pulumi.",
        on=(on.DATABASE,), path="password", remedy="set manage_master_user_password and no password",
    ),
    Control(
        "database-insights", ("I5",), "low", "Performance Insights is on.",
        on=(on.DATABASE,), path="performanceInsightsEnabled", holds=Is(value=True),
    ),
    Control(
        "database-logs", ("RDS.36", "I5"), "medium", "The database's log is exported to CloudWatch.",
        on=(on.DATABASE,), path="enabledCloudwatchLogsExports", holds=Lists("postgresql"),
    ),
    Control(
        "database-metrics", ("RDS.6", "I5"), "low", "Enhanced monitoring is on.",
        on=(on.DATABASE,), path="monitoringInterval", holds=AtLeast(1),
    ),
    Control(
        "database-changes-wait", ("I5",), "medium",
        "Changes that interrupt the database wait for its maintenance window.",
        on=(on.DATABASE,), path="applyImmediately", holds=Is(value=False),
    ),
    Control(
        "database-major-upgrades-on-purpose", ("I5",), "medium",
        "A major version upgrade needs an explicit change.",
        on=(on.DATABASE,), path="allowMajorVersionUpgrade", holds=Is(value=False),
    ),
    Control(
        # If the settings pin a minor version, upgrades are up to whoever pinned it.
        "database-minor-upgrades", ("RDS.13",), "medium", "Security fixes are installed automatically.",
        on=(on.DATABASE,), path="autoMinorVersionUpgrade", holds=Is(value=True),
        when=("engineVersion", Matches(r"^[^.]*$", "a major version")),
    ),
    Control(
        "database-snapshots-tagged", ("RDS.17",), "low", "Snapshots carry the stack's tags.",
        on=(on.DATABASE,), path="copyTagsToSnapshot", holds=Is(value=True),
    ),
    Control(
        "database-ca", ("I5",), "medium",
        "The database's certificate is issued by an authority that does not expire soon.",
        on=(on.DATABASE,), path="caCertIdentifier", holds=Matches("-g1$", "an authority of generation g1"),
    ),
    Control(
        "database-in-two-zones", ("RDS.5",), "medium",
        "Production's database has a standby in another zone.",
        on=(on.DATABASE,), path="multiAz", holds=Is(value=True), production=True,
        setting="database.multi_az", demands=Is(value=True),
        risk="the loss of one zone would be the loss of the database",
    ),
    Control(
        "database-windows-apart", ("RDS.11",), "medium",
        "The backup window and the maintenance window do not overlap.",
        on=(on.DATABASE,), path="backupWindow and maintenanceWindow", setting="database.backup_window",
        remedy="move backup_window or maintenance_window",
    ),
    Control(
        "database-force-tls", ("RDS.38", "I5"), "high", "PostgreSQL accepts no connection without TLS.",
        on=(on.DATABASE_PARAMETERS,), path="rds.force_ssl",
        remedy='set rds.force_ssl to "1" in the parameter group',
    ),
    Control(
        "database-own-parameters", ("RDS.38",), "high",
        "The database uses the stack's own parameter group.",
        on=(on.DATABASE,), path="parameterGroupName",
        remedy="set parameter_group_name to the stack's own group",
    ),
    Control(
        "pooler-tls", ("RDS.43", "I5"), "high", "The proxy accepts no connection without TLS.",
        on=(on.DATABASE_PROXY,), path="requireTls", holds=Is(value=True),
    ),
))  # fmt: skip

REDIS = Section("Redis", ("infra/aws/cache.py",), (
    Control(
        "redis-tls", ("ElastiCache.5", "I4"), "high", "Connections to Redis are encrypted.",
        on=(on.REDIS,), path="transitEncryptionEnabled", holds=Is(value=True),
    ),
    Control(
        "redis-tls-required", ("ElastiCache.5", "I4"), "high", "Redis accepts no connection without TLS.",
        on=(on.REDIS,), path="transitEncryptionMode", holds=Is("required"),
    ),
    Control(
        "redis-encrypted-at-rest", ("ElastiCache.4",), "high", "What Redis writes to disk is encrypted.",
        on=(on.REDIS,), path="atRestEncryptionEnabled", holds=Is(value=True),
    ),
    Control(
        "redis-fails-over", ("ElastiCache.3", "I4"), "medium", "Production's Redis fails over automatically.",
        on=(on.REDIS,), path="automaticFailoverEnabled", holds=Is(value=True), production=True,
        setting="cache.replicas", demands=AtLeast(1), risk="the loss of one zone would lose the queue",
    ),
    Control(
        "redis-in-two-zones", ("ElastiCache.3", "I4"), "medium",
        "Production's Redis survives the loss of a zone.",
        on=(on.REDIS,), path="multiAzEnabled", holds=Is(value=True), production=True,
        setting="cache.replicas",
    ),
    Control(
        "redis-snapshots", ("ElastiCache.1", "I12"), "high", "Redis is backed up every day.",
        on=(on.REDIS,), path="snapshotRetentionLimit", holds=AtLeast(1),
        setting="cache.snapshot_days", demands=AtLeast(1), risk="a lost cache could not be restored",
    ),
    Control(
        "redis-final-snapshot", ("ElastiCache.1", "I12"), "medium",
        "A snapshot is taken when production's Redis is deleted.",
        on=(on.REDIS,), path="finalSnapshotIdentifier", holds=NotEmpty(), production=True,
        setting="cache.final_snapshot", demands=Is(value=True),
        risk="a deleted cache could not be restored",
    ),
    Control(
        "redis-minor-upgrades", ("ElastiCache.2",), "medium", "Security fixes are installed automatically.",
        on=(on.REDIS,), path="autoMinorVersionUpgrade", holds=Is(value=True),
    ),
    Control(
        "redis-seven", ("I4",), "low", "Redis is version 7 or later.",
        on=(on.REDIS,), path="engineVersion", holds=Matches(r"^([7-9]|\d\d+)(\.|$)", "7 or later"),
        setting="cache.version",
    ),
    Control(
        "redis-later", ("I4",), "low", "Changes to production's Redis wait for the maintenance window.",
        on=(on.REDIS,), path="applyImmediately", holds=Is(value=False), absent=True, production=True,
    ),
    Control(
        "redis-password-never-in-state", ("ElastiCache.6", "I4", "I9"), "critical",
        "Redis' password does not pass through Pulumi, and Pulumi does not remove it.",
        on=(on.REDIS,), path="authToken",
        remedy="remove auth_token and ignore its changes: `slipway up` sets it from the secret store",
    ),
    Control(
        "redis-not-sharded", ("I4",), "high",
        "Redis has one shard, so that the queue's scripts find all their keys (cluster mode disabled).",
        on=(on.REDIS,), path="numNodeGroups and clusterMode", setting="cache.cluster_mode",
        remedy="set cache.cluster_mode to false: BullMQ cannot use a sharded Redis",
    ),
    Control(
        "redis-evicts-nothing", ("I4", "S10"), "high",
        "When memory is full, Redis rejects writes and evicts nothing.",
        on=(on.REDIS_PARAMETERS,), path="maxmemory-policy", setting="cache.eviction",
        remedy="set maxmemory-policy to noeviction: queues lose jobs with any other (bullmq#2215)",
    ),
    Control(
        "redis-own-parameters", ("I4",), "medium", "Redis uses the stack's own parameter group.",
        on=(on.REDIS,), path="parameterGroupName",
        remedy="set parameter_group_name to the stack's own group",
    ),
))  # fmt: skip

BUCKETS = Section("Buckets", ("infra/aws/buckets.py", "infra/aws/iam/resource_policies.py"), (
    Control(
        "bucket-never-emptied", ("I12",), "high", "Pulumi never empties a bucket of production.",
        on=(on.BUCKET,), path="forceDestroy", holds=Is(value=False), absent=True, production=True,
    ),
    Control(
        "bucket-shut-to-the-public", ("S3.1", "S3.2", "S3.3", "S3.8", "I6"), "critical",
        "No policy and no ACL can make a bucket public.",
        on=(on.BUCKET,), path="BucketPublicAccessBlock",
        remedy="give it a BucketPublicAccessBlock with all four set to true",
    ),
    Control(
        "bucket-no-public-acl", ("S3.2", "S3.3", "S3.12"), "critical", "Buckets have no ACLs.",
        on=(on.BUCKET_ACL,), path="acl", remedy="remove the ACL: ownership is enforced",
    ),
    Control(
        "bucket-policy-not-public", ("S3.2", "S3.3", "S3.6", "I6"), "critical",
        "A bucket policy grants access to named principals only.",
        on=(on.BUCKET_POLICY,), path="policy",
        remedy="allow named principals, or a condition that only they can meet",
    ),
    Control(
        "bucket-tls-only", ("S3.5",), "high", "Buckets are accessed over TLS only.",
        on=(on.BUCKET,), path="BucketPolicy",
        remedy="deny s3:* to everyone when aws:SecureTransport is false, in the bucket policy",
    ),
    Control(
        "bucket-owned", ("S3.12",), "medium", "Every bucket has ownership controls.",
        on=(on.BUCKET,), path="BucketOwnershipControls", remedy="give it BucketOwnershipControls",
    ),
    Control(
        "bucket-owner-enforced", ("S3.12",), "medium",
        "ACLs are disabled: the bucket's owner owns every object.",
        on=(on.BUCKET_OWNERSHIP,), path="rule.objectOwnership", holds=Is("BucketOwnerEnforced"),
    ),
    Control(
        "bucket-versioned", ("S3.14", "I12"), "medium", "Every bucket has a versioning configuration.",
        on=(on.BUCKET,), path="BucketVersioning", remedy="give it a BucketVersioning",
    ),
    Control(
        "bucket-versioning-on", ("S3.14", "I12"), "medium",
        "Overwritten and deleted objects can be restored.",
        on=(on.BUCKET_VERSIONING,), path="versioningConfiguration.status", holds=Is("Enabled"),
    ),
    Control(
        "bucket-tidied", ("S3.13",), "medium", "Old versions and incomplete uploads expire.",
        on=(on.BUCKET,), path="BucketLifecycleConfiguration", setting="buckets.old_version_days",
        remedy="give it a BucketLifecycleConfiguration",
    ),
    Control(
        "bucket-encrypted", ("S3.17",), "medium", "Every bucket has an encryption configuration.",
        on=(on.BUCKET,), path="BucketServerSideEncryptionConfiguration",
        remedy="give it a BucketServerSideEncryptionConfiguration",
    ),
    Control(
        "bucket-cors-names-origins", ("I6", "X3"), "high",
        "Only named origins may use a bucket from a browser (BucketCorsConfiguration).",
        on=(on.BUCKET_CORS, on.R2_CORS), path="corsRules", setting="buckets.origins",
        remedy="list every origin, with its scheme",
    ),
))  # fmt: skip

VAULT = Section("Keys and secrets", ("infra/aws/vault.py",), (
    Control(
        "key-rotates", ("KMS.4",), "medium", "The stack's key is rotated every year.",
        on=(on.KEY,), path="enableKeyRotation", holds=Is(value=True),
    ),
    Control(
        "key-recoverable", ("KMS.3",), "high", "A deleted key can be restored for at least a week.",
        on=(on.KEY,), path="deletionWindowInDays", holds=AtLeast(7), setting="secret_recovery_days",
    ),
    Control(
        "secret-recoverable", ("I9",), "high",
        "A deleted secret of production can be restored for at least a week.",
        on=(on.SECRET,), path="recoveryWindowInDays", holds=AtLeast(7), production=True,
        setting="secret_recovery_days", demands=AtLeast(7), risk="a deleted secret could not be restored",
    ),
    Control(
        "secret-by-own-key", ("I8", "I9"), "medium", "A stack's secrets are encrypted with its own key.",
        on=(on.SECRET,), path="kmsKeyId", remedy="set kms_key_id to the stack's key",
    ),
    Control(
        "no-secret-versions", ("I9", "P4"), "critical",
        "Pulumi makes empty secrets and never a value (no SecretVersion).",
        on=(on.SECRET_VERSION, on.SECRET_ROTATION),
        remedy="use `slipway secrets set` for values: what Pulumi knows is stored in its state",
    ),
))  # fmt: skip

STATE = Section("Pulumi's state", ("infra/aws/program.py",), (
    Control(
        "stateful-protected", ("I12",), "high",
        "Pulumi refuses to delete or replace resources that hold production's data.",
        on=on.STATEFUL, path="protect", production=True, setting="protect", demands=Is(value=True),
        risk="one mistaken `pulumi destroy` would delete everything",
        remedy="set protect=True: Pulumi then refuses to delete or replace it",
    ),
    Control(
        "never-deleted-first", ("I12",), "high",
        "A resource that holds data is not deleted to make room for its replacement.",
        on=on.STATEFUL, path="delete_before_replace", remedy="remove delete_before_replace",
    ),
    Control(
        "no-secret-inputs", ("I9", "P4"), "critical", "No resource has a secret value as an input.",
        on=(on.EVERYTHING,),
        remedy="use `slipway secrets set`: what Pulumi knows is stored in its state, encrypted or not",
    ),
    Control(
        "no-secret-outputs", ("I9", "P8"), "critical", "The stack exports no secret value.",
        on=(on.EVERYTHING,), remedy="export the name of the secret, not its value",
    ),
))  # fmt: skip

DATA = (DATABASE, REDIS, BUCKETS, VAULT, STATE)
