from .app import (
    App as App,
    Build as Build,
    Cron as Cron,
    EnvVar as EnvVar,
    Migrate as Migrate,
    Observe as Observe,
    Process as Process,
    Runtime as Runtime,
    Smoke as Smoke,
    Step as Step,
    WebSocket as WebSocket,
)
from .app_file import load_app as load_app
from .checks import (
    CheckSocket as CheckSocket,
    CheckToken as CheckToken,
    CheckUpload as CheckUpload,
    CheckWebhook as CheckWebhook,
    Number as Number,
)
from .env import (
    REFS as REFS,
    env_rules as env_rules,
    known_scopes as known_scopes,
    misfits as misfits,
    reaches as reaches,
    why_absent as why_absent,
)
from .errors import (
    BadInput as BadInput,
    Interrupted as Interrupted,
    LeaseHeld as LeaseHeld,
    NeedsPerson as NeedsPerson,
    ReleaseFailed as ReleaseFailed,
    SlipwayError as SlipwayError,
)
from .load import Load as Load, LoadSize as LoadSize, ProfileName as ProfileName, Threshold as Threshold
from .outputs import (
    LOAD_HEADER as LOAD_HEADER,
    STICKY_COOKIE as STICKY_COOKIE,
    Bucket as Bucket,
    Cloud as Cloud,
    Host as Host,
    Outputs as Outputs,
    Redis as Redis,
    Role as Role,
    SecretStore as SecretStore,
)
from .printable import printable as printable
from .project import Project as Project, open_project as open_project
from .stack import LocalFleet as LocalFleet, Prove as Prove, Server as Server, Stack as Stack
from .stack_file import (
    OUTPUTS_FILE as OUTPUTS_FILE,
    STATE_FOLDER as STATE_FOLDER,
    find_root as find_root,
    load_stack as load_stack,
    stack_names as stack_names,
)
