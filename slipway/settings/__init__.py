"""What a person writes, typed: the app (slipway.toml), its stacks (Pulumi.<stack>.yaml); and stack outputs.

`app.py`, `stack.py` and `outputs.py` hold the schemas, `*_rules.py` the rules across keys; `*_file.py` read
the files. The other rooms import what `__init__.pyi` lists from here. A name loads its module when it is
first imported, so that a command that needs only an error class does not load the schemas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # pyright: ignore[reportUnknownVariableType]
