"""`controller job bisect`: the first layer of a lowered graph that answers something else than FP32."""

import sys
from typing import Annotated

import typer

from controller.cli.devices import find_device
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput


def bisect(
    context: typer.Context,
    job_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST_ID, help="As `submit` and `jobs` print it.")],
    variant: Annotated[str, typer.Argument(help="As `results` shows it. [default: every fp16 and int8 one]")] = "",
    on: Annotated[
        str, typer.Option("--on", metavar="DEVICE", help="Build and run engines there, each with one more output.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Name the first layer whose output leaves FP32, in the graphs that a job's engines are built from.

    Both graphs run on this workstation with the reference inputs; the tensors that lead to an output that fails are
    held against FP32's by the rules of `check:`. With --on the device's own engines are held against it instead: each
    probe is a job with a build of its own, about as many as the number of layers can be halved.
    """
    with settings_of(context).connect() as client:
        if on:
            from controller.api.device_bisection import bisect_on_device

            device = find_device(client.devices(), on)
            if not device.online:  # its probes would wait for it, and whoever asked with them
                raise BadInput(f"{device.name} is offline", expected="a device that is online", hint="devices list")
            found = bisect_on_device(client, job_id, device.name, variant, progress=print_message)
        else:
            from controller.api.bisection import bisect_job

            found = bisect_job(client, job_id, variant, progress=print_message)
    if as_json:
        from controller.cli.formats import print_json
        from controller.record.bisection import bisection_records

        print_json({"bisections": bisection_records(found)}, out=sys.stdout)
        return
    from controller.report.text.bisection import bisection_lines

    for line in bisection_lines(found):
        print(line)
