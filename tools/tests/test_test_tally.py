"""Shows that test_tally.py counts what ctest reports and turns a broken stage or an empty run into a failure."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TALLY = Path(__file__).resolve().parent.parent / "test_tally.py"
PASSED = '<testcase name="a" status="run"/>'
FAILED = '<testcase name="b" status="fail"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="c" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>'


class TestTally(unittest.TestCase):
    def run_tally(self, cases, *stages):
        with tempfile.TemporaryDirectory() as folder:
            if cases is not None:
                Path(folder, "unit.xml").write_text(f"<testsuite>{''.join(cases)}</testsuite>", encoding="utf-8")
            command = [sys.executable, str(TALLY), folder, *stages]
            done = subprocess.run(command, capture_output=True, text=True)
            return done.returncode, done.stdout.strip().splitlines()[-1]

    def test_counts(self):
        self.assertEqual(self.run_tally([PASSED, PASSED]), (0, "2 passed, 0 failed"))
        self.assertEqual(self.run_tally([PASSED, SKIPPED]), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.run_tally([PASSED, FAILED], "unit tests|unit"), (1, "1 passed, 1 failed"))

    def test_a_broken_stage_fails(self):
        self.assertEqual(self.run_tally([PASSED], "build: GCC|"), (1, "1 passed, 1 failed"))
        self.assertEqual(self.run_tally([PASSED], "fuzzing|fuzz"), (1, "1 passed, 1 failed"))

    def test_nothing_executed_fails(self):
        self.assertEqual(self.run_tally(None), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
