"""Platform `servers`: Debian machines that you rent, listed in `Pulumi.<stack>.yaml` and reached by ssh.

Nothing that matters is kept on one laptop: whoever has the repository, the age key and an ssh key can work.
"""
