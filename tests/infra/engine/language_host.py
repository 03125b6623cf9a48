"""The engine's language host for Python, over the SDK's own protobufs.

Pulumi's own, `pulumi-language-python`, comes with its release archive only; a CLI that was built from the Go
module proxy has none. This one runs programs as that one does, each in a process of its own, and installs
nothing.

`language_host.py ENGINE` serves and prints its port; `language_host.py` alone is the process of one program,
which reads the engine's request on standard input and answers on standard output.
"""

import os
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from pulumi.automation._server import LanguageServer  # pyright: ignore[reportPrivateImportUsage]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

_HERE = Path(__file__).resolve()


class Host(LanguageServer):
    """Runs the program that a request names."""

    def __init__(self, engine: str) -> None:
        super().__init__(lambda: None)
        self._engine = engine

    def Run(self, request: Any, context: Any) -> Any:
        del context
        # The SDK's server takes the engine's address for the first argument.
        request.args[:] = [self._engine]
        program = subprocess.run(
            [sys.executable, "-u", str(_HERE)],
            input=request.SerializeToString(),
            stdout=subprocess.PIPE,
            cwd=request.info.program_directory,
            check=False,
        )
        if program.returncode:
            return language_pb2.RunResponse(error=f"the program's process ended with {program.returncode}")
        return language_pb2.RunResponse.FromString(program.stdout)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        del request, context
        return plugin_pb2.PluginInfo(version="0.0.0")

    def InstallDependencies(self, request: Any, context: Any) -> Any:
        del request, context
        yield language_pb2.InstallDependenciesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        del request, context
        return language_pb2.GetProgramDependenciesResponse()


def serve(engine: str) -> None:
    """Serve until the engine ends the process."""
    server = grpc.server(ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with suppress(KeyboardInterrupt):  # which is how the engine ends it
        server.wait_for_termination()


def run() -> None:
    """Run the program of the request on standard input."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a program prints is no answer
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    folder = request.info.program_directory
    entry = request.info.entry_point or "."
    sys.path.insert(0, folder)
    sys.argv = [entry]
    server: Any = LanguageServer(lambda: _program(str(Path(folder, entry))))
    answers.write(server.Run(request, None).SerializeToString())
    answers.close()


def _program(path: str) -> None:
    runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    serve(sys.argv[-1]) if sys.argv[1:] else run()
