"""A container image as a build: its archive read and proved, its layers flattened, its config understood.

No container engine runs on hosts. Here docker or buildah may make or fetch the image; what a host gets are
layers like those of any other build.
"""
