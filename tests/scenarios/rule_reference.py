"""Random pairs of rule and message: the program says what the slow, obvious evaluator of tests/rules/reference.py says.
MILLRACE_RULE_PAIRS sets how many (20000), MILLRACE_RULE_SEED the first seed (1)."""
import os
import subprocess
import sys
from pathlib import Path

REFERENCE = Path(os.environ.get("SOURCE") or Path(__file__).resolve().parents[2]) / "tests/rules/reference.py"

ENVIRONMENT = {"MILLRACE_RULE_PAIRS": "20000", **os.environ}
sys.exit(subprocess.run([sys.executable, "-B", REFERENCE], env=ENVIRONMENT, check=False).returncode)
