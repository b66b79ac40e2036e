"""Shows on small trees that check_layers.py finds what it is for, and nothing in a clean one."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import check_layers  # noqa: E402

LAYERS = """
base:
net: base
store: base
wire: base net
wire/protocol: base
@tests: store
<openssl/>: net
<rdkafka/>: topics/remote
@cpp: openssl/
"""


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.write("LAYERS", LAYERS)
        self.write("src/base/a.h", "#pragma once\n#include <vector>\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def problems(self):
        return check_layers.check(self.root)

    def assert_one(self, *parts):
        found = self.problems()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_clean_tree(self):
        includes = ("base/a.h", "net/loop.h", "wire/protocol/packet.h")
        self.write("src/wire/server.cpp", "".join(f'#include "{path}"\n' for path in includes))
        self.write("src/net/loop.h", "#pragma once\n")
        self.write("src/net/tls.cpp", "#include <openssl/ssl.h>\n")
        self.write("src/wire/protocol/packet.h", '#pragma once\n#include "base/a.h"\n')
        self.assertEqual(self.problems(), [])

    def test_upward_include_is_named_with_its_line(self):
        self.write("src/base/b.cpp", '\n#include "base/a.h"\n#include "net/loop.h"\n')
        self.assert_one("src/base/b.cpp:3", "'base' must not include 'net'")

    def test_a_sub_folder_with_a_line_may_not_use_its_parent(self):
        self.write("src/wire/protocol/packet.cpp", '#include "wire/server.h"\n')
        self.assert_one("src/wire/protocol/packet.cpp:1", "'wire/protocol' must not include 'wire'")

    def test_commented_includes_do_not_count(self):
        self.write("src/base/b.cpp", '// #include "net/loop.h"\n/*\n#include "net/loop.h"\n*/\n')
        self.assertEqual(self.problems(), [])

    def test_relative_include(self):
        self.write("src/net/loop.cpp", '#include "loop.h"\n')
        self.assert_one("src/net/loop.cpp:1", "is not \"<module>/<file>\"")

    def test_tests_may_use_more(self):
        self.write("src/net/loop_test.cpp", '#include "store/log.h"\n')
        self.assertEqual(self.problems(), [])
        self.write("src/net/loop.cpp", '#include "store/log.h"\n')
        self.assert_one("src/net/loop.cpp:1")

    def test_third_party_outside_its_owner(self):
        self.write("src/store/log.cpp", "#include <openssl/evp.h>\n")
        self.assert_one("src/store/log.cpp:1", "belongs to net")

    def test_owner_is_a_folder_not_its_parent(self):
        self.write("LAYERS", LAYERS + "topics: base\n")
        self.write("src/topics/remote/producer.cpp", "#include <rdkafka/rdkafka.h>\n")
        self.assertEqual(self.problems(), [])
        self.write("src/topics/catalog.cpp", "#include <rdkafka/rdkafka.h>\n")
        self.assert_one("src/topics/catalog.cpp:1", "belongs to topics/remote")

    def test_costly_header_in_a_header(self):
        self.write("src/net/tls.h", "#pragma once\n#include <openssl/ssl.h>\n")
        self.assert_one("src/net/tls.h:2", "too costly")

    def test_module_without_a_line(self):
        self.write("src/extra/x.h", "#pragma once\n")
        self.assert_one("src/extra/x.h:1", "no line in LAYERS")

    def test_cycle_in_the_table(self):
        self.write("LAYERS", "base: net\nnet: base\n")
        self.assert_one("LAYERS", "cycle base -> net -> base")

    def test_cycle_of_headers(self):
        self.write("src/net/a.h", '#pragma once\n#include "net/b.h"\n')
        self.write("src/net/b.h", '#pragma once\n#include "net/a.h"\n')
        self.assert_one("net/a.h -> net/b.h -> net/a.h")

    def test_unknown_module_in_the_table(self):
        self.write("LAYERS", LAYERS + "kafka: bse\n")
        self.assert_one("'kafka' may include 'bse', which has no line")

    def test_code_map_is_held_against_the_table(self):
        self.write("src/base/CMakeLists.txt", "")
        self.write("src/base/README.md", "# base\n\nWhat all use: ids\nand bytes. More.\n")
        self.write("ARCHITECTURE.md", "# A\n<!-- code map -->\n<!-- end of code map -->\nrest\n")
        self.assert_one("ARCHITECTURE.md:2", "code map")
        self.assertEqual(check_layers.check(self.root, write_map=True), [])
        self.assertEqual(self.problems(), [])
        page = (self.root / "ARCHITECTURE.md").read_text(encoding="utf-8")
        self.assertIn("| 0 | `base` | nothing | What all use: ids and bytes |", page)


if __name__ == "__main__":
    unittest.main()
