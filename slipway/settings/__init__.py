"""Typed settings: what the app asks for (`slipway.toml`), what a stack is (`Pulumi.<stack>.yaml`),
and what a platform promises to the pipeline (stack outputs)."""
