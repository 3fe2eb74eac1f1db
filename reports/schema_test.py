# SPDX-License-Identifier: Apache-2.0
"""Validates run.json against its schema: schema_test.py REPORTS_RENDER REPORTS_DIR.

Whole, partial, minimal and torn records all have to fold to the shape that the schema promises, and
a run with a field too many or too few must not pass.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not there: not tested")
    sys.exit(77)


def fold(render, text):
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder, "run.jsonl")
        record.write_text(text)
        subprocess.run([render, record, folder], check=True, stdout=subprocess.DEVNULL)
        return json.loads(pathlib.Path(folder, "run.json").read_text())


def main():
    render, reports = sys.argv[1], pathlib.Path(sys.argv[2])
    schema = json.loads((reports / "run_record.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    made = (reports / "golden" / "made.jsonl").read_text()
    lines = made.splitlines(keepends=True)
    minimal = '{"kind":"begin","suite":{},"spec":{},"device":{},"invocation":{}}\n'
    records = {
        "made": made,
        "without end": "".join(lines[:-1]),
        "only begin": lines[0],
        "torn": made[: len(made) // 2],
        "minimal": minimal,
        "minimal result": minimal + '{"kind":"result","id":"a.b","outcome":"pass"}\n' +
                          '{"kind":"end"}\n',
    }
    bad = 0
    for name, text in records.items():
        errors = list(validator.iter_errors(fold(render, text)))
        print(f"{'FAIL' if errors else 'ok  '} {name}")
        for error in errors[:5]:
            print(f"     {list(error.path)}: {error.message[:200]}")
        bad += bool(errors)

    run = fold(render, made)
    for name, spoil in {
        "a field too many": lambda r: r["results"][0].update(colour="blue"),
        "a field too few": lambda r: r["device"].pop("attach"),
        "an unknown outcome": lambda r: r["results"][0].update(outcome="passed"),
    }.items():
        spoiled = copy.deepcopy(run)
        spoil(spoiled)
        refused = not validator.is_valid(spoiled)
        print(f"{'ok  ' if refused else 'FAIL'} {name} is refused")
        bad += not refused
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
