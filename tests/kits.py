"""Set-up kits of one program, for tests of who may have a kit run."""

import io
import tarfile


def kit_with(program: str) -> bytes:
    """A kit whose set-up is `program`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        info = tarfile.TarInfo("setup.py")
        info.size = len(program)
        made.addfile(info, io.BytesIO(program.encode()))
    return packed.getvalue()
