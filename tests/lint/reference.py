#!/usr/bin/env python3
"""docs/reference: a page for each public header, made from its comments; nothing is written twice.

usage: reference.py            says whether the pages are what the headers say
       reference.py --write    makes them anew

A header is read as a row of comments and declarations. A declaration belongs to the comment right above it, as do the ones that
follow it without an empty line. "/* ---- title ---- */" begins a section. The tags of a comment (@param, @return, @errors, ...)
become a table and lines; each name that some header declares becomes a link to where it is declared. Declarations are shown word
for word, but for LEAT_API.
"""
import os
import re
import sys
import textwrap

from files import ROOT, Findings, read, walk

FOLDER = "docs/reference"
# In reading order; a header that stands nowhere here comes last.
ORDER = ["main", "base", "record", "serde", "json", "ctx", "builder", "stream", "table", "window", "store", "backend", "config",
         "app", "query",
         "testing", "leat"]
TOKEN = re.compile(r"""
    (?P<doc>/\*\*.*?\*/) | (?P<comment>/\*.*?\*/) | (?P<macro>^\#(?:[^\n]*\\\n)*[^\n]*) | (?P<blank>\n[ \t]*\n) | (?P<space>\s+)
    """, re.S | re.M | re.X)


class Item:
    """A run of declarations with the comment above it."""

    def __init__(self, doc):
        self.doc, self.code, self.names, self.kinds = doc, "", [], set()


def uncomment(text):
    text = re.sub(r"^/\*+[ \t]?|\s*\*+/$", "", text)
    return re.sub(r"(^|\n)[ \t]*\*[ \t]?", r"\1", text).strip()


def declaration_end(text, at):
    """Behind the ';' or the body that ends the declaration, and a comment on the same line."""
    depth = 0
    while at < len(text):
        if text.startswith("/*", at):
            at = text.index("*/", at) + 2
            continue
        c = text[at]
        depth += (c in "{(") - (c in "})")
        at += 1
        if depth == 0 and (c == ";" or (c == "}" and re.match(r"\s*(\n|$)", text[at:]))):
            break
    m = re.match(r"[ \t]*/\*.*?\*/", text[at:], re.S)
    if m and "\n" not in m.group(0).split("/*")[0]:
        at += m.end()
    return at


def names_of(code):
    """(kind, name) of what a declaration declares, the first one first."""
    bare = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    bare = re.sub(r"LEAT_PRINTF\([^)]*\)", "", bare)
    if bare.startswith("#"):
        m = re.match(r"#define\s+(LEAT_\w+|leat_\w+)", bare)
        found = [("macro", m.group(1))] if m and not m.group(1).startswith(("LEAT__", "leat__")) else []
        codes = re.findall(r"\bX\((\w+), -\d+", bare) if found == [("macro", "LEAT_ERRORS")] else []
        return found + [("constant", "LEAT_" + code) for code in codes]
    if bare.startswith("LEAT_API") or bare.startswith("static inline"):
        m = re.search(r"\b(leat_\w+)\s*\(", bare)
        return [("function", m.group(1))] if m else []
    found = []
    m = re.match(r"typedef\b.*?\(\*(leat_\w+)\)", bare, re.S)
    if m and "{" not in bare[:m.start(1)]:
        found.append(("type", m.group(1)))
    else:
        m = re.search(r"(?:struct|enum|union)\s+(leat_\w+)\s*\{", bare) or re.search(r"\b(leat_\w+)\s*;\s*$", bare)
        if m:
            found.append(("type", m.group(1)))
    if re.match(r"(typedef\s+)?enum\b", bare) and "{" in bare:
        body = bare[bare.index("{"):]
        found += [("constant", n) for n in re.findall(r"[{,\s](LEAT_[A-Z0-9_]+)(?=\s*[,=}\s])", body) if not n.startswith("LEAT__")]
    return found


def items_of(text):
    """Sections: [title, prose, items or paragraphs]."""
    begin, end = re.search(r"^LEAT_BEGIN$", text, re.M), re.search(r"^LEAT_END$", text, re.M)
    text = text[begin.end():end.start()] if begin else text[text.index("*/") + 2:]
    sections, doc, item, at = [["", "", []]], None, None, 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if m:
            at = m.end()
            token = m.group(0)
            if m.lastgroup == "blank":
                item, doc = None, None
            elif m.lastgroup == "doc":
                doc, item = uncomment(token), None
            elif m.lastgroup == "comment":
                said = uncomment(token)
                title = re.match(r"---- (.*?)(?: ----)?(?:\n\n|$)", said, re.S)
                if title and said.startswith("----"):
                    heading = " ".join(title.group(1).split()).replace(" ----", "")
                    sections.append([heading, said[title.end():], []])
                else:
                    sections[-1][2].append(said)
                item, doc = None, None
            elif m.lastgroup == "macro":
                names = names_of(token)
                if names and not token.rstrip().endswith("_H"):
                    item = add(sections, item, doc, token, names)
                    doc = None
            continue
        stop = declaration_end(text, at)
        code = text[at:stop].strip()
        at = stop
        names = names_of(code)
        if names and not names[0][1].endswith("_"):
            if "{" in code and not code.startswith(("typedef", "enum", "struct")):
                code = re.sub(r"\s*\{.*\}$", ";", code, flags=re.S)  # a small function in the header
                code = re.sub(r"^static inline ", "static inline ", code)
            item = add(sections, item, doc, code, names)
            doc = None
    return [s for s in sections if s[1] or s[2]]


def add(sections, item, doc, code, names):
    if item is None or doc is not None:
        item = Item(doc)
        sections[-1][2].append(item)
    item.code += ("\n" if item.code else "") + code.replace("LEAT_API ", "", 1)
    item.names += names
    return item


def page_of(header):
    return os.path.basename(header)[:-2] + ".md"


class Linker:
    def __init__(self, homes):
        self.homes = homes

    def text(self, text, page, own=()):
        def link(m):
            name = m.group(1)
            if name not in self.homes or name in own:
                return f"`{m.group(0)}`"
            home = self.homes[name]
            return f"[`{m.group(0)}`]({'' if home == page else home}#{name})"
        parts = re.split(r"(`[^`]*`)", text)
        for i in range(0, len(parts), 2):
            part = re.sub(r"<(?=[a-z])", "&lt;", parts[i]).replace("*", r"\*")
            part = re.sub(r"(?<![\w/])((?:leat|LEAT)_\w+)(?:\(\))?(?![\w(\\])", link, part)
            parts[i] = re.sub(r"(?<![\w./`\[])(\.[a-z_]+(?:\.[a-z_]+)*)(?=[\s,;:)?]|\.\s|\.$|$)", r"`\1`", part)
        return "".join(parts)


def paragraphs(text):
    """("text" | "list" | "drawing", lines) in order: lists have " - ", drawings are indented by two or more."""
    out = []
    for part in re.split(r"\n\s*\n", text):
        begun = len(out)
        for line in part.splitlines():
            kind = "list" if re.match(r" ?- ", line) else "drawing" if line.startswith("  ") else "text"
            last = out[-1] if len(out) > begun else None
            if last and last[0] == "list" and kind == "drawing":
                last[1][-1] += " " + line.strip()
            elif last and last[0] == kind:
                last[1].append(line)
            else:
                out.append((kind, [line]))
    return out


def prose(text, linker, page, own=()):
    made = []
    for kind, lines in paragraphs(text):
        if kind == "drawing":
            made.append("```text\n" + textwrap.dedent("\n".join(lines)) + "\n```")
        elif kind == "list":
            made.append("\n".join("- " + linker.text(line.strip()[2:], page, own) for line in lines))
        else:
            made.append(linker.text(" ".join(line.strip() for line in lines), page, own))
    return "\n\n".join(made)


def split_tags(doc):
    """(prose, [(tag, text)])"""
    said, tags = [], []
    for line in doc.splitlines():
        pieces = re.split(r"(?:^|\s{2,})(?=@(?:param|return|errors|thread|role|since|source)\b)", line)
        for piece in [p for p in pieces if p.strip()] or [""]:
            m = re.match(r"@(\w+)\s*(.*)", piece.strip())
            if m:
                tags.append([m.group(1), m.group(2)])
            elif piece.strip() and tags:
                tags[-1][1] += " " + piece.strip()
            elif not tags:
                said.append(line)
                break
    return "\n".join(said).strip(), tags


def parameters(tags, linker, page, own):
    rows = []
    for tag, text in tags:
        if tag != "param":
            continue
        m = re.match(r"((?:\w+,\s*)*\w+)\s*(\[[^\]]*\])?\s*(.*)", text, re.S)
        name, ownership, rest = m.group(1), (m.group(2) or "").strip("[]"), m.group(3)
        rows.append(f"| `{name}` | {ownership} | {linker.text(rest, page, own).replace('|', chr(92) + '|')} |")
    return "| parameter | ownership | |\n|---|---|---|\n" + "\n".join(rows) if rows else ""


def render_doc(doc, linker, page, own):
    said, tags = split_tags(doc)
    parts = [prose(said, linker, page, own)] if said else []
    parts.append(parameters(tags, linker, page, own))
    for tag, title in (("return", "Returns"), ("errors", "Errors")):
        for text in [t for name, t in tags if name == tag]:
            m = re.match(r"\[([^\]]*)\]\s*(.*)", text, re.S)
            text = f"({m.group(1)}) {m.group(2)}" if m else text
            parts.append(f"**{title}** {linker.text(text, page, own)}".rstrip())
    line = " · ".join(f"{title} {text.strip()}" for name, title in (("thread", "Thread:"), ("since", "since"), ("source", "Kafka:"))
                      for tag, text in tags if tag == name)
    if line:
        parts.append(f"*{line}*")
    return "\n\n".join(p for p in parts if p)


def heading(item):
    shown = [name for kind, name in item.names if kind != "constant"] or [name for _, name in item.names]
    return ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")


def render(header, sections, linker, found):
    page = page_of(header)
    text = read(header)
    head = uncomment(text[:text.index("*/") + 2])
    said = re.sub(r"^leat/\w+\.h:\s*", "", head)
    out = [f"# {header[len('include/'):]}", f"<!-- made by tests/lint/reference.py from {header} -->",
           prose(said[:1].upper() + said[1:], linker, page)]
    included = [m for m in re.findall(r"#include <leat/(\w+)\.h>", text)]
    if included:
        out.append("Includes " + ", ".join(f"[{i}.h]({i}.md)" for i in included) + ".")
    for title, section_prose, items in sections:
        if title:
            out.append("## " + linker.text(title[0].upper() + title[1:], page))
        if section_prose:
            out.append(prose(section_prose, linker, page))
        for item in items:
            if isinstance(item, str):
                out.append(prose(item, linker, page))
                continue
            own = {name for _, name in item.names}
            anchors = "".join(f'<a id="{name}"></a>' for _, name in item.names)
            out.append(f"### {heading(item)}\n\n{anchors}")
            out.append(f"```c\n{item.code}\n```")
            if item.doc:
                out.append(render_doc(item.doc, linker, page, own))
    return "\n\n".join(out) + "\n"


def index(pages, homes):
    out = ["# Reference", "<!-- made by tests/lint/reference.py from include/leat -->",
           "A page for each public header, made from its comments. `leat.h` includes all that a program needs but "
           "[backend.h](backend.md), [json.h](json.md) and the test driver's [testing.h](testing.md). "
           "The words of ownership: **borrow** (for the call), **copy**, **adopt** (always, also on failure), **keep** (borrowed "
           "for the life of the named owner), **own** (yours).",
           "| header | what it is |\n|---|---|"]
    for header, sections in pages:
        head = " ".join(uncomment(read(header).split("*/")[0] + "*/").split("\n\n")[0].split())
        said = re.sub(r"^leat/\w+\.h:\s*", "", head)
        said = re.split(r"(?<=[a-z0-9)])\. (?=[A-Z])", said)[0].rstrip(".")
        out[-1] += f"\n| [{os.path.basename(header)}]({page_of(header)}) | {said[:1].upper() + said[1:]} |"
    for kind, title in (("function", "Functions"), ("type", "Types"), ("macro", "Macros"), ("constant", "Constants")):
        names = sorted({n for _, sections in pages for s in sections for i in s[2] if isinstance(i, Item)
                        for k, n in i.names if k == kind})
        out.append(f"## {title}")
        out.append(", ".join(f"[{n}]({homes[n]}#{n})" for n in names))
    return "\n\n".join(out) + "\n"


def main():
    found, write = Findings("lint/reference"), "--write" in sys.argv
    headers = sorted((p for p in walk("include/leat") if p.endswith(".h")),
                     key=lambda p: (ORDER.index(os.path.basename(p)[:-2]) if os.path.basename(p)[:-2] in ORDER else 99, p))
    pages = [(h, items_of(read(h))) for h in headers]
    homes = {}
    for header, sections in pages:
        for _, _, items in sections:
            for item in items:
                for _, name in item.names if isinstance(item, Item) else []:
                    known = re.search(rf"typedef struct {name} {name}; */\*", item.code)  # not only announced
                    if name not in homes or known:
                        homes[name] = page_of(header)
    for header in headers:
        for name in re.findall(r"^LEAT_API[^;(]*?\b(leat_\w+)\s*\(", read(header), re.M):
            if name not in homes:
                found.say(header, f"{name} was not understood: tests/lint/reference.py")
    linker = Linker(homes)
    made = {page_of(h): render(h, sections, linker, found) for h, sections in pages}
    made["README.md"] = index(pages, homes)
    folder = os.path.join(ROOT, FOLDER)
    there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    for name in sorted(there - set(made)):
        if write:
            os.remove(os.path.join(folder, name))
        else:
            found.say(f"{FOLDER}/{name}", "made from no header: tests/lint/reference.py --write")
    for name, text in sorted(made.items()):
        path = os.path.join(folder, name)
        if write:
            os.makedirs(folder, exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        elif name not in there or read(f"{FOLDER}/{name}") != text:
            found.say(f"{FOLDER}/{name}", "is not what the headers say: tests/lint/reference.py --write")
    found.end(f"{len(made)} pages, {len(homes)} names")


main()
