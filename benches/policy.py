#!/usr/bin/env python3
"""Times what is done with policies: checking a large one, judging by it, and replaying a change.

    cargo build --release
    python3 benches/scan.py          # makes the input
    python3 benches/policy.py [--threads N] [--repeat N] [--folder DIR] [--data NAME]

The large policy is `policies/sec-003.toml` with as many groups and allows between them as make 1,000 rules and 5,000 prefixes. Over
the input of `benches/scan.py`: a `scan` by each of the two, and a `replay` of the sample's policy without one of its allows, over the
logs and over a lake of them. Every step runs `--repeat` times, in turns, and the fastest run counts. Needs nothing but Python's own
library.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

NUM_RULES = 1_000
NUM_PREFIXES = 5_000
NUM_GROUPS = 200
SCAN = "scan, sample's policy"
# The allow that the replayed change takes away.
WITHOUT = "load-balancer-to-etl"


def timed(command, codes=(0,)):
    """Wall seconds of a command."""
    start = time.monotonic()
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if ran.returncode not in codes:
        sys.exit(f"{' '.join(command[:4])} …: {ran.stderr.decode(errors='replace')}")
    return time.monotonic() - start


def rules_of(text):
    return re.findall(r"^\[\[(allow|deny|require)\]\]\nid = \"([^\"]+)\"", text, re.MULTILINE)


def enlarged(text):
    """A policy with further groups and allows, up to the numbers above. The prefixes are /29s of the sample's network."""
    missing = NUM_PREFIXES - text.count("/")
    for group in range(NUM_GROUPS):
        numbers = range(group, missing, NUM_GROUPS)
        prefixes = ", ".join(f'"10.0.{n // 32 % 256}.{n % 32 * 8}/29"' for n in numbers)
        text += f"\n[groups.large-{group}]\ncidrs = [{prefixes}]\n"
    for rule in range(NUM_RULES - len(rules_of(text))):
        ends = f'from = "large-{rule % NUM_GROUPS}"\nto = "large-{(rule * 7 + 1) % NUM_GROUPS}"'
        text += f'\n[[allow]]\nid = "large-rule-{rule}"\n{ends}\nports = ["tcp/{10000 + rule}"]\n'
    return text


def without(text, rule):
    """A policy without an allow, nor what its own tests say of it."""
    assert ("allow", rule) in rules_of(text), f"{rule} is no allow of it"
    text = text[: text.index("[[test]]")]
    start = text.index(f'[[allow]]\nid = "{rule}"')
    end = text.find("\n\n", start)
    return text[:start] + (text[end:] if end >= 0 else "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "tidegate-bench"))
    parser.add_argument("--data", default="4000000-4-4", help="the input's folder in that folder")
    options = parser.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    program = os.path.join(target, "release", "tidegate")
    logs = os.path.join(options.folder, options.data, "logs")
    if not os.path.isdir(logs):
        sys.exit(f"{logs}: no such folder; run benches/scan.py first")

    sample = os.path.join(ROOT, "policies", "sec-003.toml")
    with open(sample) as file:
        text = file.read()
    written = {"large": enlarged(text), "changed": without(text, WITHOUT)}
    folder = os.path.join(options.folder, "policies")
    os.makedirs(folder, exist_ok=True)
    paths = {}
    for name, policy in written.items():
        paths[name] = os.path.join(folder, f"{name}.toml")
        with open(paths[name], "w") as file:
            file.write(policy)

    threads = ["--threads", str(options.threads)]
    lake = os.path.join(options.folder, "lake-none")
    if not os.path.exists(os.path.join(lake, "lake.json")):
        command = [program, "scan", logs, "--policy", sample, "--lake", lake, "--keep", "none", *threads]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    replay = [program, "policy", "replay", sample, paths["changed"]]
    steps = {
        "check, sample's policy": [program, "policy", "check", sample],
        "check, large policy": [program, "policy", "check", paths["large"]],
        SCAN: [program, "scan", logs, "--policy", sample, *threads],
        "scan, large policy": [program, "scan", logs, "--policy", paths["large"], *threads],
        "replay over logs": [*replay, "--over", logs, *threads],
        "replay over a lake": [*replay, "--over", lake],
    }
    runs = {step: [] for step in steps}
    for _ in range(options.repeat):
        for step, command in steps.items():
            runs[step].append(timed(command))
    fastest = {step: min(found) for step, found in runs.items()}
    print(f"{options.data}, {options.threads} threads")
    for step, seconds in fastest.items():
        ratio = "" if step.startswith("check") else f"{seconds / fastest[SCAN]:8.2f} scans"
        print(f"{step:26} {seconds:8.3f} s {ratio}")


main()
