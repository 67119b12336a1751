"""`quantgate bench`: put a load on a server, show what came of it, and say by the exit code whether there is something to show.

Exit 0: measured; 2: it could not be, or a request failed. The key comes from the environment and is never printed.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quantgate.cli.codes import COULD_NOT, GOOD
from quantgate.errors import ConfigurationError, MeasurementError

if TYPE_CHECKING:
    from quantgate.measure.load import FailureCount, Load, Summary, Target

KEY = "QUANTGATE_API_KEY"


def add_bench(commands: Any) -> None:
    """The command's options, on the subparsers of `quantgate`."""
    parser = commands.add_parser(
        "bench",
        help="decode speed of any OpenAI-compatible server under a fixed load",
        description=f"Put a load of chats on a server and time what comes back. A key, where one is needed, is read from {KEY}.",
    )
    whole, number = int, float
    parser.add_argument("--base-url", required=True, metavar="URL", help="the server, as in http://127.0.0.1:8000/v1")
    parser.add_argument("--model", required=True, metavar="M", help="the model's name there")
    parser.add_argument("--concurrency", type=whole, default=16, metavar="N", help="requests at once (16)")
    parser.add_argument("--requests", type=whole, default=64, metavar="N", help="requests a round (64)")
    parser.add_argument("--max-tokens", type=whole, default=256, metavar="N", help="tokens out, of every request (256)")
    parser.add_argument("--prompt-tokens", type=whole, default=128, metavar="N", help="tokens in, of every prompt's own text (128)")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="the checkpoint's folder; without it a prompt's length counts words")
    parser.add_argument("--rounds", type=whole, default=5, metavar="N", help="rounds that count (5)")
    parser.add_argument("--warm-up", type=whole, default=1, metavar="N", help="rounds before them that do not (1)")
    parser.add_argument(
        "--request-rate", type=number, metavar="X", help="requests a second, at random times, --concurrency at most at once"
    )
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="of prompts, pictures and times (0)")
    parser.add_argument("--clients", type=whole, metavar="N", help="client processes (one, and more where the warm-up shows the need)")
    parser.add_argument("--no-stream", action="store_true", help="whole answers: latency and speeds alone")
    parser.add_argument("--image", metavar="WxH", help="a fresh picture of so many pixels before every prompt")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Measure and show; raises ConfigurationError for what cannot be asked."""
    from quantgate.measure.load import FailedRequestsError, Load, parse_target
    from quantgate.report import LoadAsked, LoadResult, show_load

    load = Load(
        concurrency=options.concurrency,
        requests=options.requests,
        max_tokens=options.max_tokens,
        prompt_tokens=options.prompt_tokens,
        stream=not options.no_stream,
        request_rate=options.request_rate,
        image=_image(options.image),
        seed=options.seed,
        clients=options.clients,
    )
    if options.rounds < 1 or options.warm_up < 0:
        raise ConfigurationError(
            f"--rounds {options.rounds} --warm-up {options.warm_up}: it takes 1 round that counts, and no fewer than 0 before it"
        )
    whom = parse_target(options.base_url, options.model, os.environ.get(KEY, ""))
    asked = LoadAsked(
        base_url=whom.root,
        model=whom.model,
        load=load,
        prompt_unit="tokens" if options.tokenizer else "words",
        warm_up_rounds=options.warm_up,
    )
    try:
        result = LoadResult(asked=asked, summary=_measure(whom, load, options))
    except MeasurementError as error:
        failures = error.failures if isinstance(error, FailedRequestsError) else []
        result = LoadResult(asked=asked, error=f"{error}{_about_the_key(failures)}", failures=failures)
    if options.json:
        print(msgspec.json.encode(result).decode())
    else:
        show_load(result)
    if result.error is not None:
        print(f"quantgate bench: {result.error}", file=sys.stderr)
    return GOOD if result.error is None else COULD_NOT


def _measure(whom: "Target", load: "Load", options: argparse.Namespace) -> "Summary":
    from quantgate.measure.load import LoadSession, Prompts, summarize

    with LoadSession(whom, load, Prompts(load.seed, options.tokenizer)) as session:
        for _ in range(options.warm_up):
            session.warm_up()
        rounds = [session.round() for _ in range(options.rounds)]
        return summarize(rounds, session.check(), stream=load.stream)


def _about_the_key(failures: Sequence["FailureCount"]) -> str:
    """What to do where a server lets nobody in."""
    if not any(one.kind in ("HTTP 401", "HTTP 403") for one in failures):
        return ""
    return f"; it refuses the key in {KEY}" if os.environ.get(KEY) else f"; it wants a key: put it into {KEY}"


def _image(asked: str | None) -> tuple[int, int] | None:
    if asked is None:
        return None
    if (sides := re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", asked)) is None:  # noqa: RUF001 (people type either)
        raise ConfigurationError(f"--image={asked}: give width and height in pixels, as in 512x512")
    return int(sides[1]), int(sides[2])
