"""Generates the code of proto/jetfleet/v1 into a folder: `make proto` into proto/, the tests into an empty one."""

import os
import subprocess
import sys
from pathlib import Path


def main(out: Path) -> None:
    protos = sorted(Path("proto/jetfleet/v1").glob("*.proto"))
    plugins = [f"--{name}_out={out}" for name in ("python", "grpc_python", "mypy", "mypy_grpc")]
    plugins += ["--mypy_opt=quiet", "--mypy_grpc_opt=quiet"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # protoc finds its plugins there
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", "proto", *plugins, *map(str, protos)]
    subprocess.run(command, check=True, env={**os.environ, "PATH": path})
    for generated in (out / "jetfleet/v1").glob("*_pb2_grpc.py*"):
        if f"service {generated.name.split('_')[0].capitalize()} " not in services(protos):
            generated.unlink()  # nothing to call


def services(protos: list[Path]) -> str:
    return "".join(path.read_text() for path in protos)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
