"""A Pulumi program over a small cloud: a folder of JSON files. `wanted.json` says what is to be in it.

`{"data": {"kind": "Fleet", "version": 1, "protect": false}}` is a resource that counts as stateful; of kind
Note it does not. Another `version` replaces it, another `text` updates it; `fail` makes it fail.
"""

import json

import pulumi
from files import Files, cloud  # pyright: ignore[reportImplicitRelativeImport] - as Pulumi runs it
from pulumi.dynamic import Resource


class Fleet(Resource, module="slipway", name="Fleet"):
    pass


class Note(Resource, module="slipway", name="Note"):
    pass


for name, wanted in json.loads((cloud() / "wanted.json").read_text()).items():
    kind = {"Fleet": Fleet, "Note": Note}[wanted.pop("kind", "Note")]
    opts = pulumi.ResourceOptions(protect=wanted.pop("protect", False))
    secret = wanted.pop("secret", "")
    props = {"name": name, "version": 1, "text": "", "seconds": 0, "fail": "", **wanted}
    kind(Files(), name, {**props, "text": pulumi.Output.secret(secret)} if secret else props, opts)

pulumi.export("stack", pulumi.get_stack())
pulumi.export("platform", "local")
pulumi.export("url", "https://localhost")
pulumi.export("builds", {"bucket": "builds"})
pulumi.export("secrets", {"kind": "age", "location": "secrets.age"})
