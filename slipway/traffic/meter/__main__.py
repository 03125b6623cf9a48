"""The meter as a process, for tests: `python -m slipway.traffic.meter --rps 300 --seconds 30 < target.json`.

The target comes as JSON on standard input, because it holds secrets; the report goes to standard output.
"""

import argparse
import json
import sys

from pydantic import ValidationError

from slipway.settings import SlipwayError
from slipway.traffic.meter import Report, run
from slipway.traffic.target import Target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m slipway.traffic.meter", description=__doc__)
    parser.add_argument("--rps", type=float, default=300)
    parser.add_argument("--sockets", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", action="store_true", help="report as one JSON document")
    parser.add_argument("--schema", action="store_true", help="print the report's JSON schema and exit")
    options = parser.parse_args()
    if options.schema:
        sys.stdout.write(json.dumps(Report.model_json_schema(), indent=2) + "\n")
        return 0
    try:
        target = Target.model_validate_json(sys.stdin.read())
        return run(
            target,
            rps=options.rps,
            sockets=options.sockets,
            seconds=options.seconds,
            json=options.json,
            i_know=True,
        )
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
        )
        sys.stderr.write(f"error: target: {places}\n")
        return 2
    except SlipwayError as failure:
        sys.stderr.write(f"error: {failure.message}\n")
        return failure.exit_code


if __name__ == "__main__":
    sys.exit(main())
