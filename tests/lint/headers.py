#!/usr/bin/env python3
"""Public headers: every LEAT_API function is documented, lines are at most 100 columns, names begin with leat.

Documented means: a /** */ comment right above; or the function stands in an unbroken run of declarations that begins with a
documented one; or it has a comment on its own line. @thread and @since stand in every /** */ of a function.
"""
import re

from files import Findings, read, walk

COLUMNS = 100


def main():
    found, functions = Findings("lint/headers"), 0
    for path in walk("include/leat"):
        lines = read(path).splitlines()
        documented = False      # the run that we are in began with a comment
        above = None            # the text of a /** */ that ended on the line above
        comment = None          # lines of the one that we are in
        declaration = False     # inside a declaration of several lines
        for number, line in enumerate(lines, 1):
            where = f"{path}:{number}"
            if len(line) > COLUMNS:
                found.say(where, f"{len(line)} columns; at most {COLUMNS}")
            text = line.strip()
            if comment is not None:
                comment.append(text)
                if "*/" in text:
                    above, comment = "\n".join(comment), None
                continue
            if declaration:
                declaration = ";" not in text and "{" not in text
                continue
            if text.startswith("/**"):
                if "*/" in text:
                    above = text
                else:
                    comment = [text]
                documented = False
                continue
            if text.startswith("LEAT_API"):
                functions += 1
                name = re.search(r"(leat_\w+)\s*\(", " ".join(lines[number - 1:number + 2]))
                name = name.group(1) if name else text
                if above is not None:
                    documented = True
                    for tag in ("@thread", "@since"):
                        if tag not in above:
                            found.say(where, f"{name}: its comment has no {tag}")
                elif not documented and "/*" not in line:
                    found.say(where, f"{name} has no comment")
                declaration = ";" not in text
                above = None
                continue
            if text.startswith(("*", "/*", "#")) and above is None:
                continue
            above = None
            documented = False if text == "" else documented
    found.end(f"{functions} functions")


main()
