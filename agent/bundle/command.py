"""`agent bundle verify | check | infer | serve | accept`: what is done with a bundle where it is deployed."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.callable_options import add_callables, allowed_callables
from jetfleet.errors import BadInput
from jetfleet.plain_log import printable_line
from jetfleet.plural import are, counted
from jetfleet.usage import check_outputs, named_value

if TYPE_CHECKING:
    from agent.bundle.model import BundleModel

GATE = 3
_LISTEN = "127.0.0.1:8080"


def add_arguments(parser: argparse.ArgumentParser, *, exit_codes: str) -> None:
    parser.epilog = f"{exit_codes} 3: the budget is missed, or it cannot be told that it is kept."
    parser.add_argument(
        "action",
        choices=("verify", "check", "infer", "serve", "accept"),
        help="verify: digests and signature; check: that and whether it runs here and computes the right thing; infer: "
        "one inference; serve: HTTP, or lines of JSON on standard input; accept: measure again, and hold against "
        "the budget",
    )
    parser.add_argument("bundle", type=Path, metavar="DIR", help="what `controller package` made")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the public key that must have signed it")
    parser.add_argument(
        "--on-mismatch",
        choices=("rebuild", "refuse"),
        default="rebuild",
        help="what becomes of an engine for another kind of machine [default: rebuild, from the bundle's ONNX]",
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="where a rebuilt engine is kept")
    parser.add_argument("--listen", default=_LISTEN, metavar="HOST:PORT", help=f"serve there [default: {_LISTEN}]")
    parser.add_argument("--stdin", action="store_true", help="serve lines of JSON instead of HTTP")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE.npy", help="infer: an input")
    parser.add_argument("--output", type=Path, metavar="FILE.npz", help="infer: where the outputs go")
    add_callables(parser.add_argument_group("accept, of a job with functions of its own"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    actions = {"verify": _verify, "check": _check, "infer": _infer, "serve": _serve, "accept": _accept}
    return actions[options.action](options)


def _verify(options: argparse.Namespace) -> int:
    from agent.bundle.model import check_bundle
    from jetfleet.bundle_files import left_behind

    manifest = check_bundle(options.bundle, key=options.key)
    absent = len(left_behind(options.bundle, manifest))
    present = len(manifest.files) - absent
    words = [f"{manifest.name}: {counted(present, 'file')} {are(present)} what the manifest says"]
    words += [f"{absent} that only deploy it are not here"] if absent else []
    words.append("signed by that key" if options.key else "signature not looked at: no --key")
    record = {"bundle": manifest.name, "files": present, "left_behind": absent, "signed": bool(options.key)}
    _say(options, record, ["; ".join(words)])
    return 0


def _open(options: argparse.Namespace) -> "BundleModel":
    from agent.bundle.model import open_bundle

    return open_bundle(options.bundle, key=options.key, on_mismatch=options.on_mismatch, state=options.state)


def _check(options: argparse.Namespace) -> int:
    with _open(options) as model:
        rebuilt = "; ".join(model.rebuilt)
        _say(
            options,
            {"bundle": model.manifest.name, "ready": True, "rebuilt": list(model.rebuilt)},
            [
                f"{model.manifest.name}: runs here and computes the right thing"
                + (f"; its engine was built again: {rebuilt}" if rebuilt else "")
            ],
        )
    return 0


def _infer(options: argparse.Namespace) -> int:
    from agent.runtime.arrays import read_npy, write_npz

    check_outputs(**{"--output": options.output})
    inputs = {}
    for text in options.input:
        name, path = named_value(text, what="input", where="--input", expected="NAME=FILE.npy")
        try:
            inputs[name] = read_npy(Path(path), name=name)
        except OSError as error:
            why = f"{path} cannot be read: {error.strerror}"
            raise BadInput(why, where=f"--input {name}", expected="a file that numpy.save wrote") from error
    with _open(options) as model:
        outputs = model.infer(inputs)
    if options.output:
        write_npz(options.output, outputs)
    shapes = {name: {"dtype": str(array.dtype), "shape": list(array.shape)} for name, array in outputs.items()}
    told = [f"{name} {found['dtype']}{found['shape']}" for name, found in shapes.items()]
    _say(options, {"outputs": shapes}, told)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from agent.bundle.server import serve_http, serve_lines, standard_streams

    signal.signal(signal.SIGTERM, _leave)
    if options.stdin:
        with _open(options) as model:
            print(f"ready: {model.manifest.name}", file=sys.stderr, flush=True)
            serve_lines(model, *standard_streams())
        return 0
    host, colon, port = options.listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise BadInput(f"{options.listen!r} is not a valid address", where="--listen", expected="HOST:PORT")

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    serve_http(options.bundle, host=host.strip("[]"), port=int(port), opened=lambda: _open(options), tell=tell)
    return 0


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _accept(options: argparse.Namespace) -> int:
    from agent.bundle.acceptance import held, measure_again

    with _open(options) as model:  # as it is served: the engine that loads here, with the right outputs
        manifest, engine = model.manifest, model.engine
    if not manifest.budget:
        raise BadInput("the bundle has no budget", where=str(options.bundle), expected="controller package --budget")
    found = measure_again(engine, manifest, callables=allowed_callables(options))
    verdicts = held(found, manifest.budget)
    passed = all(item.kept for item in verdicts)
    words = {True: "kept", False: "MISSED", None: "CANNOT TELL"}
    lines = [
        f"{item.metric}: {'unknown' if item.value is None else f'{item.value:.4g}'}, limit {item.limit:.4g}: "
        f"{words[item.kept]}" + (f" ({item.reason})" if item.reason else "")
        for item in verdicts
    ]
    lines += [f"its engine was built again here: {'; '.join(engine.rebuilt)}"] if engine.rebuilt else []
    record = {"bundle": manifest.name, "accepted": passed, "rebuilt": list(engine.rebuilt)}
    _say(options, {**record, "budget": [vars(item) for item in verdicts]}, lines)
    return 0 if passed else GATE


def _say(options: argparse.Namespace, record: object, lines: Sequence[str]) -> None:
    """Much of it is from the bundle, which may be anybody's: nothing of it steers the terminal."""
    print(json.dumps(record, indent=2) if options.json else "\n".join(map(printable_line, lines)))
