#!/usr/bin/env python3
"""Holds every #include under src/ against the LAYERS file.

Fails, naming file:line, on: an include that LAYERS does not allow, a quoted include that is not "<module>/<file>" from
src/, a third-party header outside its module or in a header that should not pay for it, a module without a line, a
cycle in the table, a cycle of headers, a code map in ARCHITECTURE.md that is not the one LAYERS gives. LAYERS explains its
syntax. --map prints the code map, --write-map puts it into ARCHITECTURE.md (./dev fmt does).
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
MAP_BEGIN, MAP_END = "<!-- code map -->", "<!-- end of code map -->"
TEST_FILE = re.compile(r"_(test|fuzz|bench)\.cpp$")


class Layers:
    """The parsed LAYERS file: `allowed` by unit (module or module/folder), `owners` by third-party prefix."""

    def __init__(self, path):
        self.allowed, self.owners, self.tests, self.cpp_only, self.errors = {}, {}, set(), [], []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            name, colon, rest = line.partition(":")
            words = rest.split()
            if not colon:
                self.errors.append(f"{path.name}:{number}: expected 'module: modules'")
            elif name == "@tests":
                self.tests = set(words)
            elif name == "@cpp":
                self.cpp_only = words
            elif name.startswith("<"):
                self.owners[name[1:-1]] = set(words)
            elif name in self.allowed:
                self.errors.append(f"{path.name}:{number}: '{name}' has two lines")
            else:
                self.allowed[name] = set(words)
        for name, words in self.allowed.items():
            for word in sorted(words - set(self.allowed)):
                self.errors.append(f"{path.name}: '{name}' may include '{word}', which has no line")
        self.errors += [f"{path.name}: cycle {' -> '.join(c)}" for c in cycles(self.allowed)]

    def unit(self, relative):
        """The longest line of the table that covers a path under src/, or None."""
        parts = relative.split("/")[:-1]
        for length in range(len(parts), 0, -1):
            name = "/".join(parts[:length])
            if name in self.allowed:
                return name
        return None

    def may_include(self, unit, target):
        if unit == target or target.startswith(unit + "/"):
            return True
        # Naming a module allows the sub-folders of it that have lines of their own.
        return any(target == word or target.startswith(word + "/") for word in self.allowed[unit])

    def layer(self, name):
        below = [self.layer(other) for other in self.allowed[name] if other != name]
        return 1 + max(below, default=-1)


def cycles(graph):
    """Cycles of a {node: nodes} graph, each once, found by depth-first search."""
    found, state, stack = [], {}, []

    def visit(node):
        state[node] = "open"
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if state.get(other) == "open":
                found.append(stack[stack.index(other):] + [other])
            elif other not in state and other in graph:
                visit(other)
        stack.pop()
        state[node] = "done"

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in state:
            visit(node)
    return found


def without_comments(text):
    """The same lines with block and line comments blanked, so that a commented-out include is no include."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r"(^|[^:\"])//[^\n]*", r"\1", text)


def check_file(layers, src, path, headers):
    relative = path.relative_to(src).as_posix()
    unit = layers.unit(relative)
    if unit is None:
        return [f"src/{relative}:1: module '{relative.split('/')[0]}' has no line in LAYERS"]
    problems, is_test = [], bool(TEST_FILE.search(relative))
    for number, line in enumerate(without_comments(path.read_text(encoding="utf-8", errors="replace")).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        where, quoted, angled = f"src/{relative}:{number}", match.group(1), match.group(2)
        if quoted:
            target = layers.unit(quoted)
            if target is None:
                problems.append(f'{where}: "{quoted}" is not "<module>/<file>" from src/')
                continue
            if path.suffix == ".h" and (src / quoted).exists():
                headers.setdefault(relative, set()).add(quoted)
            own_module = target.split("/")[0] == unit.split("/")[0]
            test_only = is_test and (own_module or any(target == m or target.startswith(m + "/") for m in layers.tests))
            if not layers.may_include(unit, target) and not test_only:
                problems.append(f"{where}: '{unit}' must not include '{target}' (\"{quoted}\"); LAYERS allows: "
                                f"{' '.join(sorted(layers.allowed[unit])) or 'nothing'}")
        else:
            for prefix, owners in layers.owners.items():
                owned = any(relative.startswith(owner + "/") for owner in owners)
                if angled.startswith(prefix) and not owned:
                    problems.append(f"{where}: <{angled}> belongs to {' '.join(sorted(owners))} alone")
            if path.suffix == ".h" and any(angled.startswith(prefix) for prefix in layers.cpp_only):
                problems.append(f"{where}: <{angled}> is too costly for a header: include it in a .cpp file")
    return problems


def purpose(module):
    """The first sentence of a module's README."""
    readme = module / "README.md"
    if not readme.exists():
        return ""
    text = re.sub(r"^#[^\n]*", "", readme.read_text(encoding="utf-8")).strip().split("\n\n", 1)[0]
    return re.split(r"(?<=\.)\s", " ".join(text.split()) + " ", maxsplit=1)[0].rstrip(".:; ").replace("|", "/")


def code_map(root, layers):
    """The modules that exist, lowest layer first, as a Markdown table."""
    rows = ["| layer | module | may include | purpose |", "|---|---|---|---|"]
    present = [name for name in layers.allowed if (root / "src" / name / "CMakeLists.txt").exists() and "/" not in name]
    for name in sorted(present, key=layers.layer):
        allowed = " ".join(f"`{m}`" for m in sorted(layers.allowed[name], key=lambda m: (layers.layer(m), m))) or "nothing"
        rows.append(f"| {layers.layer(name)} | `{name}` | {allowed} | {purpose(root / 'src' / name)} |")
    return "\n".join(rows)


def check_map(root, layers, write):
    page = root / "ARCHITECTURE.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if MAP_BEGIN not in text:
        return []
    head, rest = text.split(MAP_BEGIN, 1)
    new = f"{head}{MAP_BEGIN}\n{code_map(root, layers)}\n{MAP_END}{rest.split(MAP_END, 1)[1]}"
    if write and new != text:
        page.write_text(new, encoding="utf-8")
    elif new != text:
        line = head.count("\n") + 1
        return [f"ARCHITECTURE.md:{line}: the code map is not what LAYERS and the READMEs give; ./dev fmt mends it"]
    return []


def check(root, write_map=False):
    layers = Layers(root / "LAYERS")
    problems, headers = list(layers.errors), {}
    if problems:
        return problems
    src = root / "src"
    for path in sorted(p for p in src.rglob("*") if p.suffix in (".h", ".cpp")):
        problems += check_file(layers, src, path, headers)
    problems += [f"src/{c[0]}:1: headers include one another: {' -> '.join(c)}" for c in cycles(headers)]
    return problems + check_map(root, layers, write_map)


def main(arguments):
    options = [a for a in arguments if a.startswith("--")]
    places = [a for a in arguments if not a.startswith("--")]
    root = Path(places[0]) if places else Path(__file__).resolve().parent.parent
    if "--map" in options:
        print(code_map(root, Layers(root / "LAYERS")))
        return 0
    problems = check(root, "--write-map" in options)
    for problem in problems:
        print(problem)
    print(f"layers: {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
