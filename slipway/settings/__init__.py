"""What a person writes, typed: the app (slipway.toml), its stacks (Pulumi.<stack>.yaml); and stack outputs.

`app.py`, `stack.py` and `outputs.py` hold the schemas, `*_rules.py` the rules across keys; `*_file.py` read
the files.
"""
