"""Shows that check_format.sh passes a formatted tree, names a file that is not, and mends it with --fix."""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent


class CheckFormat(unittest.TestCase):
    def run_check(self, root, *options):
        done = subprocess.run([str(TOOLS / "check_format.sh"), *options, str(root)], capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_finds_and_mends(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            shutil.copy(TOOLS.parent / ".clang-format", root)
            (root / "src").mkdir()
            (root / "src" / "good.h").write_text("int a;\n", encoding="utf-8")
            (root / "src" / "bad.cpp").write_text("int  a ;\n", encoding="utf-8")
            status, output = self.run_check(root)
            self.assertEqual(status, 1, output)
            self.assertIn("src/bad.cpp", output)
            self.assertNotIn("good.h", output)
            self.assertEqual(self.run_check(root, "--fix")[0], 0)
            self.assertEqual(self.run_check(root)[0], 0)


if __name__ == "__main__":
    if not shutil.which("clang-format-19"):
        sys.exit(77)
    unittest.main()
