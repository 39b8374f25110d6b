#!/usr/bin/env python3
"""rules.py - every rule of the specification and the tests that prove it (`make rules`).

    tests/rules.py [ROOT]      ROOT: the checkout (default: where this file is)

tests/rules.txt lists the numbers R, I and E. A test claims one by naming it: in the comment above
a function, in its body, or in its name (test_e43_...). The hard idea is whose a comment is:

- above a function or inside of it: that function's;
- a file's head comment, or a section's banner ("---- E31, E33: ... ----"): the file's. In a script
  without functions the file is the test. In C it is a table of contents: it is printed where no
  function says more, and proves nothing, or "I10-I14" above a file would prove what none tests.

Upper case counts in comments (`r2` there is somebody's second reference), both in names. "E27-E31",
"E2..E5" and "E2 to E5" are ranges. A sentence that says where else a number is ("E38 is in
test_calls_late.c") claims nothing; nor do headers, which hold no tests. Only what runs by itself
proves: a function test_... or main, or a script; helpers that name a number are listed, since their
tests lean on them.

Prints one line per number, then those that no test proves. Exit 1 when one of them is not marked
`later`, or when a test names a number that the list does not have.
"""
import ast
import io
import pathlib
import re
import sys
import tokenize

FOLDERS = ("unit", "integration", "crash", "model", "sim", "switch")
TITLE_MAX = 70
NUMBER = r"[RIE]\d{1,3}a?"
MENTION = re.compile(
    r"(?<![A-Za-z0-9_])(%s)(?:\s*(?:-|\.{2,3}|\u2013|\u2026|to)\s*(%s))?(?![A-Za-z0-9_])"
    % (NUMBER, NUMBER))
ELSEWHERE = re.compile(r"[^.]*\b(?:is|are) in \S*test_\w+\.\w+")
TEST = re.compile(r":(?:test_\w+|main)$")
C_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)
C_FUNCTION = re.compile(r"^([A-Za-z_]\w*)\([^;{}]*?\)\n\{", re.M)
SH_FUNCTION = re.compile(r"^(\w+)\(\) *\{", re.M)


class Function:
    """Where one begins and ends, in lines."""

    def __init__(self, name, first, last):
        self.name, self.first, self.last = name, first, last


class Source:
    """One test file: its comments as (first line, last line, text), and its functions."""

    def __init__(self, path):
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.comments, self.functions = [], []
        {".c": self.read_c, ".py": self.read_python, ".sh": self.read_shell}[path.suffix]()
        self.functions.sort(key=lambda function: function.first)

    def line_at(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def read_c(self):
        for token in C_TOKEN.finditer(self.text):
            if token.group().startswith("/"):
                self.comments.append(
                    (self.line_at(token.start()), self.line_at(token.end()), token.group()))
        for found in C_FUNCTION.finditer(self.text):
            end = self.text.find("\n}", found.end())
            self.functions.append(Function(
                found.group(1), self.line_at(found.start()),
                self.line_at(end + 1 if end >= 0 else len(self.text))))

    def read_python(self):
        tree = ast.parse(self.text)
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                self.comments.append((token.start[0], token.end[0], token.string))
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                text = ast.get_docstring(node)
                first = node.body[0].lineno if text else 0
                self.comments += [(first, node.body[0].end_lineno, text)] if text else []
            if isinstance(node, ast.FunctionDef):
                self.functions.append(Function(node.name, node.lineno, node.end_lineno))

    def read_shell(self):
        first, lines = 0, []
        for number, line in enumerate(self.text.splitlines() + [""], 1):
            if line.lstrip().startswith("#"):
                first = first or number
                lines.append(line)
            elif lines:
                self.comments.append((first, number - 1, "\n".join(lines)))
                first, lines = 0, []
        for found in SH_FUNCTION.finditer(self.text):
            end = self.text.find("\n}", found.end())
            self.functions.append(Function(
                found.group(1), self.line_at(found.start()), self.line_at(end + 1)))

    def owner(self, first, last, text):
        """The name of the function that a comment speaks of, or "": the file."""
        if first <= 2 or "----" in text:
            return ""
        for function in self.functions:
            if function.first <= first <= function.last or function.first > last:
                return function.name
        return ""


def read_rules(path):
    """{number: (is later, title)}, in the order of the list; complains about a bad line."""
    rules = {}
    for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        number, mark, title = (line.split(None, 2) + ["", ""])[:3]
        if not re.fullmatch(NUMBER, number) or mark not in ("-", "later") or not title \
                or len(title) > TITLE_MAX or number in rules:
            sys.exit("%s:%d: not `number -|later title`, or there twice: %s" % (path, at, line))
        rules[number] = (mark == "later", title)
    return rules


def numbers_in(text, order):
    """The numbers that a comment names, ranges spelt out."""
    for found in MENTION.finditer(ELSEWHERE.sub("", text)):
        first, last = found.groups()
        if last is None or first not in order or last not in order or first[0] != last[0]:
            yield first
            if last is not None:
                yield last
        else:
            yield from order[order.index(first):order.index(last) + 1]


def read_claims(root, order):
    """[(number, file, function or "", line)] of all tests, and the files that have no function."""
    whole = set()
    claims = []
    for path in sorted(path for folder in FOLDERS for path in (root / "tests" / folder).rglob("*")
                       if path.suffix in (".c", ".py", ".sh")):
        source = Source(path)
        name = str(path.relative_to(root / "tests"))
        whole |= set() if source.functions else {name}
        for first, last, text in source.comments:
            for number in numbers_in(text, order):
                claims.append((number, name, source.owner(first, last, text), first))
        for function in source.functions:
            for part in function.name.split("_"):
                if re.fullmatch(r"[rie]\d{1,3}a?", part):
                    number = part[0].upper() + part[1:]
                    claims.append((number, name, function.name, function.first))
    return claims, whole


def tests_of(number, claims):
    """file:function of each that names it; the file alone where none of its functions does."""
    tests = {}
    for named, name, function, _ in claims:
        if named == number:
            tests.setdefault(name, [])
            if function and function not in tests[name]:
                tests[name].append(function)
    return [name + (":" + function if function else "")
            for name, functions in tests.items() for function in functions or [""]]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parent.parent
    rules = read_rules(root / "tests" / "rules.txt")
    claims, whole = read_claims(root, list(rules))
    proven, later, missing = [], [], []

    for number, (is_later, title) in rules.items():
        tests = tests_of(number, claims)
        is_proven = any(test in whole or TEST.search(test) for test in tests)
        (proven if is_proven else later if is_later else missing).append(number)
        mark = [] if is_proven else ["(left to later)" if is_later else "NOT COVERED"]
        said = ", ".join(mark + tests)
        print("%-5s %-70s %s" % (number, title, said))
    unknown = [claim for claim in claims if claim[0] not in rules]
    for number, name, _, line in unknown:
        print("tests/%s:%d: names %s, which is no number of tests/rules.txt" % (name, line, number))
    print("left to later: " + (" ".join(later) or "none"))
    print("not covered: " + (" ".join(missing) or "none"))
    print("%d numbers: %d covered, %d left to later, %d not covered, %d unknown" % (
        len(rules), len(proven), len(later), len(missing), len(unknown)))
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
