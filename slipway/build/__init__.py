"""From source to a build in the builds bucket: layers named by their digest, a manifest, an SBOM.

Start at `build.py`, `publish.py` and `manifest.py`; nothing is imported here, so that a command that
only reads a manifest does not import what packs layers.
"""
