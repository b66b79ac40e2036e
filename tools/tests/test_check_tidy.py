"""Shows on small trees that every rule of check_tidy.py can fail, and that a clean tree passes."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import check_tidy  # noqa: E402

HEADER = "// Purpose and invariant.\n#pragma once\n"


class CheckTidy(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.write("src/base/README.md", "# base\n")
        self.write("src/base/ids.h", HEADER)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def problems(self):
        return check_tidy.check(self.root)

    def assert_one(self, *parts):
        found = self.problems()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_clean_tree(self):
        self.write("src/net/README.md", "# net\n")
        self.write("src/net/loop.h", HEADER + "struct DataDirectory {};\nclass FetchHandler;\nstruct InfoRequest;\n")
        self.write("src/net/loop.cpp", '#include "net/loop.h"\n')
        self.write("src/net/loop_test.cpp", '#include "net/loop.h"\n')
        self.assertEqual(self.problems(), [])

    def test_size(self):
        self.write("src/base/ids.h", HEADER + "int a;\n" * 499)
        self.assert_one("src/base/ids.h:501", "[size]")

    def test_names(self):
        for name in ("SessionManager", "StringUtils", "TopicHelper", "TopicInfo", "SegmentData", "Handler"):
            with self.subTest(name=name):
                self.write("src/base/ids.h", HEADER + f"class {name} {{\n}};\n")
                self.assert_one("src/base/ids.h:3", "[name]", name)
        self.write("src/base/ids.h", HEADER)
        self.write("src/base/string_util.h", HEADER)
        self.assert_one("src/base/string_util.h:1", "[name]")

    def test_marks(self):
        for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X"):
            with self.subTest(mark=mark):
                self.write("src/base/ids.h", HEADER + f"// {mark}: later\n")
                self.assert_one("src/base/ids.h:3", "[mark]")

    def test_blanks_and_columns(self):
        self.write("src/base/ids.h", HEADER + "int a; \n")
        self.assert_one(":3", "[blank]", "trailing")
        self.write("src/base/ids.h", HEADER + "\tint a;\n")
        self.assert_one(":3", "[blank]", "tab")
        self.write("src/base/ids.h", HEADER + "// " + "x" * 118 + "\n")
        self.assert_one(":3", "[columns]", "121")

    def test_header_form(self):
        self.write("src/base/ids.h", "// Purpose.\nint a;\n")
        self.assert_one("[header]")
        self.write("src/base/ids.h", "#pragma once\n")
        self.assert_one("[opening]")

    def test_source_without_header_needs_an_opening(self):
        self.write("src/base/main.cpp", "int main() {}\n")
        self.assert_one("src/base/main.cpp:1", "[opening]")

    def test_readme(self):
        self.write("src/base/README.md", "# base\n" + "x\n" * 40)
        self.assert_one("src/base/README.md", "[readme]")
        (self.root / "src/base/README.md").unlink()
        self.write("src/base/ids.cpp", "\n")
        self.assert_one("src/base/README.md:1", "[readme]", "missing")

    def test_titles(self):
        self.write("docs/page.md", "# One\n```\n# a comment in code\n```\n# Two\n")
        self.assert_one("docs/page.md:5", "[title]")

    def test_links(self):
        self.write("docs/page.md", "# One\n[there](other.md#part), [gone](missing.md), [web](https://example.org/x)\n")
        self.write("docs/other.md", "# Two\n")
        self.assert_one("docs/page.md:2", "[link]", "missing.md")

    def test_architecture_length(self):
        self.write("ARCHITECTURE.md", "# Architecture\n" + "x\n" * 250)
        self.assert_one("ARCHITECTURE.md", "[length]")

    def test_machine_paths(self):
        self.write("docs/page.md", "# One\nsee /" + "home/me/notes\n")
        self.assert_one("docs/page.md:2", "[machine]")

    def test_mutex(self):
        self.write("src/net/README.md", "# net\n")
        self.write("src/net/a.h", HEADER + "std::mutex lock_;\n")
        self.assert_one("src/net/a.h:3", "[mutex]")
        self.write("src/net/a.h", HEADER + "// Guards waiting_; taken alone.\nstd::mutex lock_;\n")
        self.assertEqual(self.problems(), [])

    def test_clock_and_random(self):
        self.write("src/net/README.md", "# net\n")
        for rule, code in (("clock", "std::chrono::system_clock::now()"), ("clock", "clock_gettime(0, &t)"),
                           ("random", "std::random_device d"), ("random", "int x = rand()")):
            with self.subTest(code=code):
                self.write("src/net/a.cpp", f"// Purpose.\nvoid f() {{ {code}; }}\n")
                self.assert_one("src/net/a.cpp:2", f"[{rule}]")
        self.write("src/net/a.cpp", "// Purpose.\n")
        self.write("src/base/clock.cpp", "// Purpose.\nauto t = std::chrono::system_clock::now();\n")
        self.assertEqual(self.problems(), [])

    def test_sleep_in_a_test(self):
        self.write("src/base/ids_test.cpp", "void f() { std::this_thread::sleep_for(x); }\n")
        self.assert_one("src/base/ids_test.cpp:1", "[sleep]")

    def test_swallowed_exception(self):
        self.write("src/base/ids.cpp", "void f() { try { g(); } catch (...) {} }\n")
        self.assert_one("src/base/ids.cpp:1", "[catch]")

    def test_exceptions_list(self):
        self.write("src/base/ids.h", HEADER + "int a;\n" * 499)
        self.write("tools/tidy_exceptions.txt", "size src/base/ids.h  generated table\n")
        self.assertEqual(self.problems(), [])
        self.write("src/base/ids.h", HEADER)
        self.assert_one("tools/tidy_exceptions.txt:1", "[exception]")
        self.write("tools/tidy_exceptions.txt", "size src/base/ids.h\n")
        self.assert_one("tools/tidy_exceptions.txt:1", "rule path  reason")

    def test_every_rule_is_shown_to_fail_here(self):
        here = Path(__file__).read_text(encoding="utf-8")
        for rule in check_tidy.RULES:
            self.assertTrue(f'"[{rule}]"' in here or f'("{rule}",' in here, f"no case for rule '{rule}'")


if __name__ == "__main__":
    unittest.main()
