"""What is this repository, and which files does it need to be shipped? Reads it, and writes those files.

`repository.py` reads, `recipes.toml` is the table of kinds, `formats.py` reads what other tools were given,
`draft.py` puts it together, `write.py` writes and never overwrites, `missing.py` says what is still to do.
"""
