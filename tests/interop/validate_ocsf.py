"""Says which lines of standard input are no Detection Findings of OCSF."""

import json
import sys

from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from pydantic import ValidationError

wrong = False
for number, line in enumerate(sys.stdin, 1):
    try:
        DetectionFinding(**json.loads(line))
    except ValidationError as error:
        print(f"line {number}: {error}")
        wrong = True
sys.exit(wrong)
