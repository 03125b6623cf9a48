"""The set-up kit: everything that makes a bare machine a host of one role, in one archive that runs on it.

For platforms whose hosts come and go by themselves: nobody is there to set them up over ssh.
"""

from hosts.kit.archive import kit_digest, kit_objects, make

__all__ = ["kit_digest", "kit_objects", "make"]
