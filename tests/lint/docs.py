#!/usr/bin/env python3
"""README and docs say only what the project does.

usage: docs.py               checks without running anything
       docs.py --bin DIR     runs the console blocks with the programs in DIR
       docs.py --write       makes the file map of ARCHITECTURE.md anew, and the included code

- "<!-- code: FILE NAME ... -->" right before a block: it holds these functions (types, tables) of the file, and no other text.
- A block of c, cpp, cmake or ini stands word for word in a file of the project.
- A block of sh holds commands that exist: a script of the project, a preset, a program of the build with options that its
  help or its source names.
- A block of console is run; what follows a line "$ command" is what it prints.
- A block of text is a drawing or a quotation and is not checked.
- A property in backquotes or behind --set is in docs/CONFIGURATION.md; a link leads to a file; a `leat_...` name is declared.
- ARCHITECTURE.md ends with a line for each source file: the first sentence of its head comment.
"""
import os
import re
import subprocess
import sys

from files import ROOT, Findings, read, walk

SOURCES = (".c", ".h", ".cpp", ".txt", ".cmake", ".properties", ".py", ".sh")
LAYERS = ("include", "base", "statestore", "runtime", "dsl", "tools")
MAP_BEGIN, MAP_END = "<!-- file map: tests/lint/docs.py --write -->\n", "<!-- end of the file map -->\n"
OUTSIDE = {"cat", "printf", "sort", "export", "cd", "sh", "bash", "curl", "kill", "LEAT_TEST_ONLY=name", "nohup"}
NOT_PROPERTIES = re.compile(r"\.(c|h|cpp|md|py|sh|txt|pc|so|json|jsonl|gz|cmake|supp|a|in|xml|jar|leat|log|pem)$")


def documents():
    """What people wrote: reference.py checks docs/reference."""
    made = ("tests/", "docs/CONFIGURATION", "docs/reference/")
    return [p for p in walk() if p.endswith(".md") and not p.startswith(made) and p != "CHANGELOG.md"]


def blocks(text):
    """(line number, language, text) of each fenced block."""
    language, begin, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r"```(\w*)\s*$", line)
        if language is None and m:
            language, begin, lines = m.group(1), number + 1, []
        elif language is not None and line.startswith("```"):
            yield begin, language, "\n".join(lines)
            language = None
        elif language is not None:
            lines.append(line)


def definition(source, name):
    """What defines the name at the left margin, with the comment right above it; None: nothing does."""
    lines = source.splitlines()
    for begin, line in enumerate(lines):
        if not re.match(rf"[A-Za-z][^;]*\b{name}\b(?!\s*;)", line) or line.startswith("#"):
            continue
        end = begin
        while end < len(lines) and not re.match(r"\}|.*;\s*(/\*.*\*/)?$" if "{" not in line and "(" not in line else r"\}", lines[end]):
            end += 1
        if end == len(lines):
            continue
        while begin and re.match(r"/\*| \*", lines[begin - 1]):
            begin -= 1
        return "\n".join(lines[begin:end + 1])
    return None


def included(found, where, path, names):
    if not os.path.isfile(os.path.join(ROOT, path)):
        found.say(where, f"code of {path}, which does not exist")
        return ""
    parts = [(name, definition(read(path), name)) for name in names]
    for name in [n for n, part in parts if part is None]:
        found.say(where, f"{path} defines no {name}")
    return "\n\n".join(part for _, part in parts if part is not None)


def include_code(found, path, write):
    """The blocks behind the marks hold what the files define."""
    def fill(m):
        wanted = included(found, path, m.group(2), m.group(3).split())
        if not write and m.group(5) != wanted + "\n":
            found.say(path, f"the code of {m.group(2)} has changed: tests/lint/docs.py --write")
        return m.group(1) + m.group(4) + wanted + "\n```"
    text = read(path)
    made = re.sub(r"(<!-- code: (\S+) (.*?) -->\n)(```c(?:pp)?\n)(.*?)```", fill, text, flags=re.S)
    if text.count("<!-- code: ") != len(re.findall(r"<!-- code: \S+ .*? -->\n```c(?:pp)?\n.*?```", text, flags=re.S)):
        found.say(path, "a mark <!-- code: ... --> without a block of c right behind it")
    if write and made != text:
        with open(os.path.join(ROOT, path), "w", encoding="utf-8") as f:
            f.write(made)


def properties():
    table = read("docs/CONFIGURATION.md")
    names = set(re.findall(r"^\| ([a-z][\w.]*?) \|", table, re.M))
    return {n for n in names if not n.endswith(".")}, {n for n in names if n.endswith(".")}


def head_sentence(path):
    """The first sentence of "path: sentence" in the head comment."""
    m = re.match(r"/\*+\s*(.*?)\*/", read(path), re.S)
    if not m:
        return None
    text = re.sub(r"\n\s*\* ?", "\n", m.group(1)).split("\n\n")[0]
    text = " ".join(text.split())
    name, colon, said = text.partition(": ")
    if not colon or not name.endswith(os.path.basename(path)):
        return None
    said = re.split(r"(?<=[a-z0-9)\"'])\. (?=[A-Z\"])", said)[0].rstrip(".:")
    return said if len(said) <= 160 else said[:157].rsplit(" ", 1)[0] + " ..."


def file_map(found):
    text, folder = "", None
    for path in sorted(walk(*LAYERS), key=lambda p: (LAYERS.index(p.split("/")[0]), os.path.dirname(p), p)):
        if not path.endswith((".c", ".h")):
            continue
        said = head_sentence(path)
        if said is None:
            found.say(path, 'its head comment does not begin with "path: what it is"')
            continue
        if os.path.dirname(path) != folder:
            folder = os.path.dirname(path)
            text += f"\n### {folder}/\n\n"
        text += f"- `{os.path.basename(path)}`: {said}\n"
    return MAP_BEGIN + text + "\n" + MAP_END


def check_map(found, write):
    architecture, made = read("ARCHITECTURE.md"), file_map(found)
    begin, end = architecture.find(MAP_BEGIN), architecture.find(MAP_END)
    if begin < 0 or end < 0:
        found.say("ARCHITECTURE.md", "the marks of the file map are missing")
    elif architecture[begin:end + len(MAP_END)] != made:
        if write:
            with open(os.path.join(ROOT, "ARCHITECTURE.md"), "w", encoding="utf-8") as f:
                f.write(architecture[:begin] + made + architecture[end + len(MAP_END):])
        else:
            found.say("ARCHITECTURE.md", "the file map is not what the head comments say: tests/lint/docs.py --write")


def check_sh(found, where, text, presets, known):
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        line = line.split(" #")[0].strip()
        for command in re.split(r"\s*(?:\|\||&&|[|;])\s*", line):
            words = command.split()
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if not words:
                continue
            program, name = words[0], os.path.basename(words[0])
            if not program.startswith("build/") and program != name and os.path.isfile(os.path.join(ROOT, program)):
                if not os.access(os.path.join(ROOT, program), os.X_OK):
                    found.say(where, f"{program} cannot be run")
                for option in [w for w in words[1:] if w.startswith("--")]:
                    if option not in read(program):
                        found.say(where, f"{program} has no {option}")
            elif program in ("cmake", "ctest", "ninja", "git", "pkg-config", "clang-format", "python3") or program in OUTSIDE:
                if "--preset" in words and words[words.index("--preset") + 1] not in presets:
                    found.say(where, f"no preset {words[words.index('--preset') + 1]}")
                for define in re.findall(r"-D(LEAT_\w+|BUILD_SHARED_LIBS)=", command):
                    if define not in read("cmake/options.cmake"):
                        found.say(where, f"no option {define}")
            elif re.match(r"build/\w+/(bin|tests)/", program) or program == name:
                if name not in known:
                    found.say(where, f"no program {name}")
                for option in re.findall(r"(?<!\S)--([a-z-]+)", command):
                    if f'"--{option}"' not in known["options"] and f'"{option}"' not in known["options"]:
                        found.say(where, f"{name} has no --{option}")
            else:
                found.say(where, f"what is {program}?")


def check_document(found, path, sources, presets, known, table, prefixes, declared):
    text, prose, checked = read(path), read(path), 0
    for number, language, block in blocks(text):
        where, checked = f"{path}:{number}", checked + 1
        prose = prose.replace(block, "")
        if language in ("c", "cpp", "cmake", "ini"):
            marked = text.splitlines()[number - 3].startswith("<!-- code: ") if number > 2 else False
            if not marked and not any(block in source for source in sources):
                found.say(where, f"this {language} block stands in no file of the project")
        elif language == "sh":
            check_sh(found, where, block, presets, known)
        elif language not in ("console", "text"):
            found.say(where, f"a block of '{language}': c, cpp, cmake, ini, sh, console and text are known")
    names = re.findall(r"--set ([a-z][\w.]*)=", text)
    for quoted in re.findall(r"`([^`\n]+)`", prose):
        m = re.fullmatch(r"([a-z]+(?:\.[a-z_]+)+)(=\S*)?", quoted)
        if m and not NOT_PROPERTIES.search(m.group(1)):
            names.append(m.group(1))
        for name in re.findall(r"\b(?:leat_[a-z0-9_]+|LEAT_[A-Z0-9_]+)\b", quoted):
            if name not in declared:
                found.say(path, f"`{name}` is declared nowhere")
    for name in names:
        if name not in table and not name.startswith(tuple(prefixes)):
            found.say(path, f"`{name}` is no property of docs/CONFIGURATION.md")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://")) and \
                not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
            found.say(path, f"a link to {target}, which does not exist")
    return checked


def run_console(found, path, number, block, programs):
    steps = re.findall(r"^\$ (.*)\n?((?:(?!\$ ).*\n?)*)", block, re.M)
    for command, wanted in steps:
        ready = re.sub(r"build/\w+/bin", programs, command)
        done = subprocess.run(["bash", "-c", "set -o pipefail; " + ready], cwd=ROOT, capture_output=True, text=True, timeout=60)
        if done.returncode != 0 or done.stdout.strip() != wanted.strip():
            found.say(f"{path}:{number}", f"$ {command}\nexit {done.returncode}, printed:\n{done.stdout}{done.stderr}")


def main():
    found, checked = Findings("lint/docs"), 0
    if sys.argv[1:2] == ["--bin"]:
        for path in documents():
            for number, language, block in blocks(read(path)):
                if language == "console":
                    checked += 1
                    run_console(found, path, number, block, os.path.abspath(sys.argv[2]))
        found.end(f"{checked} console blocks")
    sources = [read(p) for p in walk() if p.endswith(SOURCES)]
    everything = "\n".join(sources)
    presets = set(re.findall(r'"name": "(\w+)"', read("CMakePresets.json")))
    cmake = "\n".join(read(p) for p in walk() if p.endswith("CMakeLists.txt"))
    known = {w: True for w in re.findall(r"[\w-]+", cmake)}
    known["options"] = "".join(read(p) for p in walk("examples", "tests/conformance", "tests/bench", "tools/leat") if p.endswith(".c")) \
        + read("runtime/main.c")
    table, prefixes = properties()
    declared = set(re.findall(r"\b(?:leat_[a-z0-9_]+|LEAT_[A-Z0-9_]+)\b", everything)) | {"leat_testing"}
    declared |= {"LEAT_" + name for name in re.findall(r"X\((\w+), -\d+", read("include/leat/base.h"))}
    for path in documents():
        include_code(found, path, "--write" in sys.argv)
        checked += check_document(found, path, sources, presets, known, table, prefixes, declared)
    check_map(found, "--write" in sys.argv)
    found.end(f"{len(documents())} documents, {checked} blocks")


main()
