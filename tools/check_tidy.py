#!/usr/bin/env python3
"""Style that a machine can check, as a test (ctest lint.tidy). `--rules` lists the rules with their reasons.

A place that breaks a rule for a good reason stands in tools/tidy_exceptions.txt as `rule path  reason`; an entry that
is no longer needed fails too, so the list only shrinks. Whole folders are excepted with a trailing slash.
"""
import re
import sys
from pathlib import Path

CODE = (".h", ".cpp")
TEXT = CODE + (".py", ".sh", ".md", ".txt", ".cmake", ".yaml", ".yml", ".json", "")
SKIPPED = {"build", ".git", ".cache", "data", "third_party", "corpus", "golden", "node_modules", "__pycache__"}
MAX_LINES, README_LINES, ARCHITECTURE_LINES = 500, 40, 250
COLUMNS = {".h": 120, ".cpp": 120, ".sh": 130, ".cmake": 130, ".py": 130}

RULES = {
    "size": f"a source file over {MAX_LINES} lines holds more than one noun",
    "name": "the word hides the noun of the domain: say what the thing is",
    "mark": "unfinished work is an issue or a sentence in the documentation, not a mark in the code",
    "blank": "tabs and trailing blanks make noise in every diff",
    "columns": "the line is too wide: 120 columns in C++, 130 in scripts",
    "header": "a header starts with its comment and #pragma once",
    "opening": "a header, or a source file without one, opens with a comment: purpose, invariant, thread, clause",
    "readme": f"every module has a README.md of at most {README_LINES} lines",
    "title": "a document has exactly one H1",
    "link": "the file a document points at does not exist",
    "length": f"ARCHITECTURE.md fits in {ARCHITECTURE_LINES} lines",
    "machine": "a path of one machine means nothing on another",
    "mutex": "a mutex outside base says in a comment what it guards and its order; prefer Guarded<T>",
    "clock": "time comes from base::Clock, so that the simulator owns it",
    "random": "randomness comes from base::Rng, so that one seed repeats a run",
    "sleep": "a test that sleeps is slow and still races: use the fake clock, or wait for the event",
    "catch": "catch (...) {} hides errors",
    "exception": "the exceptions list names a place that needs no exception",
}

BANNED_ANYWHERE = {"manager", "helper", "helpers", "util", "utils", "utility", "common", "misc"}
BANNED_LAST = {"data", "info"}
TYPE = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:class|struct|enum class|enum|union)\s+(?:\[\[\w+\]\]\s*)?([A-Z]\w*)\b"
                  r"(?!.*;\s*$)|^\s*using\s+([A-Z]\w*)\s*=")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MARK = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
MACHINE = re.compile(r"(?<![\w.])/(?:work|farm|home|root|Users)/")
CLOCK = re.compile(r"\b(?:system_clock|steady_clock|high_resolution_clock)::now\b|\bclock_gettime\b|\bgettimeofday\b"
                   r"|\btime\(nullptr\)")
RANDOM = re.compile(r"\brandom_device\b|\bsrand\s*\(|(?<![\w.>:])rand\s*\(\)|\bgetrandom\s*\(")
SLEEP = re.compile(r"\bsleep_(?:for|until)\b|\bu?sleep\s*\(|\bnanosleep\b")
MUTEX = re.compile(r"\bstd::(?:shared_|recursive_|timed_)?mutex\s+\w+\s*[;{]")


def words(name):
    """The words of a PascalCase, snake_case or kConstant name, in lower case."""
    parts = re.split(r"[_\W]+", name)
    return [w.lower() for part in parts for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", part)]


def banned(name):
    parts = words(name)
    if any(w in BANNED_ANYWHERE for w in parts) or (parts and parts[-1] in BANNED_LAST) or parts == ["handler"]:
        return True
    return False


def strip_strings(line):
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', line)


def check_code(relative, lines, has_header):
    """Rules for .h and .cpp files; has_header: x.cpp or x_test.cpp beside x.h. Yields (rule, line, what)."""
    in_base, is_test = relative.startswith("src/base/"), re.search(r"_(test|fuzz|bench)\.cpp$", relative) is not None
    if len(lines) > MAX_LINES:
        yield "size", len(lines), f"{len(lines)} lines"
    if banned(Path(relative).stem):
        yield "name", 1, f"file name '{Path(relative).name}'"
    if not has_header and (not lines or not lines[0].startswith("//")):
        yield "opening", 1, "no opening comment"
    if relative.endswith(".h"):
        first = next((line for line in lines if line.strip() and not line.startswith("//")), "")
        if first.strip() != "#pragma once":
            yield "header", 1, "no '#pragma once' before the first declaration"
    comment_above = False
    for number, line in enumerate(lines, 1):
        code = strip_strings(line).split("//", 1)[0]
        match = TYPE.match(code)
        if match and banned(match.group(1) or match.group(2)):
            yield "name", number, f"type '{match.group(1) or match.group(2)}'"
        if not in_base:
            if MUTEX.search(code) and not comment_above and "//" not in line:
                yield "mutex", number, "std::mutex without a comment"
            if CLOCK.search(code) and not is_test:
                yield "clock", number, CLOCK.search(code).group()
            if RANDOM.search(code):
                yield "random", number, RANDOM.search(code).group()
        if is_test and not relative.endswith("_bench.cpp") and SLEEP.search(code):
            yield "sleep", number, SLEEP.search(code).group()
        if re.search(r"catch\s*\(\s*\.\.\.\s*\)\s*\{\s*\}", code):
            yield "catch", number, "an empty catch (...)"
        comment_above = line.lstrip().startswith("//")


def check_text(root, relative, lines):
    """Rules for every text file. Yields (rule, line, what)."""
    is_document = relative.endswith(".md")
    for number, line in enumerate(lines, 1):
        if "\t" in line and not relative.endswith("Makefile"):
            yield "blank", number, "a tab"
        if line != line.rstrip():
            yield "blank", number, "trailing blanks"
        if len(line) > COLUMNS.get(Path(relative).suffix, len(line)):
            yield "columns", number, f"{len(line)} columns"
        if MARK.search(line):
            yield "mark", number, MARK.search(line).group()
        if MACHINE.search(line):
            yield "machine", number, MACHINE.search(line).group()
    if is_document:
        fenced, titles = False, []
        for number, line in enumerate(lines, 1):
            fenced ^= line.lstrip().startswith("```")
            if fenced:
                continue
            if re.match(r"# \S", line):
                titles.append(number)
            for target in LINK.findall(line):
                outside = "://" in target or target.startswith("mailto:")
                if not outside and not (root / relative).parent.joinpath(target).exists():
                    yield "link", number, target
        if len(titles) != 1:
            yield "title", titles[1] if len(titles) > 1 else 1, f"{len(titles)} H1 titles"
    if re.fullmatch(r"src/\w+/README\.md", relative) and len(lines) > README_LINES:
        yield "readme", len(lines), f"{len(lines)} lines"
    if relative == "ARCHITECTURE.md" and len(lines) > ARCHITECTURE_LINES:
        yield "length", len(lines), f"{len(lines)} lines"


def files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not (set(parts[:-1]) & SKIPPED) and path.is_file() and path.suffix in TEXT and path.name != ".git":
            yield path, "/".join(parts)


def exceptions(root):
    entries = {}
    path = root / "tools" / "tidy_exceptions.txt"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else [], 1):
        if line.strip() and not line.startswith("#"):
            parts = line.split(None, 2)
            entries[(parts[0], parts[1] if len(parts) > 1 else "")] = (number, len(parts) == 3 and parts[0] in RULES)
    return entries


def check(root):
    problems, excepted, used = [], exceptions(root), set()

    def report(rule, relative, number, what):
        for rule_name, path in excepted:
            if rule_name == rule and (relative == path or (path.endswith("/") and relative.startswith(path))):
                used.add((rule_name, path))
                return
        problems.append(f"{relative}:{number}: [{rule}] {what}: {RULES[rule]}")

    for path, relative in files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = text.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        for rule, number, what in check_text(root, relative, lines):
            report(rule, relative, number, what)
        if path.suffix in CODE:
            subject = re.sub(r"_(test|fuzz|bench)$", "", path.stem)
            has_header = path.suffix == ".cpp" and path.with_name(subject + ".h").exists()
            for rule, number, what in check_code(relative, lines, has_header):
                report(rule, relative, number, what)
    src = root / "src"
    for module in sorted(p for p in src.iterdir() if p.is_dir()) if src.exists() else []:
        if not (module / "README.md").exists() and any(module.rglob("*.cpp")):
            report("readme", f"src/{module.name}/README.md", 1, "missing")
    for key, (number, complete) in excepted.items():
        where = f"tools/tidy_exceptions.txt:{number}"
        if not complete:
            problems.append(f"{where}: [exception] expected 'rule path  reason'")
        elif key not in used:
            problems.append(f"{where}: [exception] '{key[0]} {key[1]}': {RULES['exception']}")
    return problems


def main(arguments):
    if "--rules" in arguments:
        for rule, reason in RULES.items():
            print(f"{rule:10} {reason}")
        return 0
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"tidy: {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
