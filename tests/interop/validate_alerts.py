"""Says which lines of standard input are no alerts by a schema: validate_alerts.py SCHEMA < ALERTS."""

import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
validator = kind(schema)
wrong = [(number, error) for number, line in enumerate(sys.stdin, 1) for error in validator.iter_errors(json.loads(line))]
for number, error in wrong:
    print(f"line {number}: {error.message}: {[context.message for context in error.context]}")
sys.exit(bool(wrong))
