"""The set-up kit: everything that makes a bare machine a host of one role, in one archive that runs on it.

For platforms whose hosts come and go: no operator is there to set them up over ssh.
"""
