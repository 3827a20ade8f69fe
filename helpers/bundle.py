"""Join ES modules into one script: browsers refuse modules on a page that is opened as a file.

What is linked is what the playground's modules use: `import { a, b } from "./file.js";` and
`export` before a function, a class or a `const`. Anything else is refused, not guessed at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
STATEMENT = re.compile(r"^(?:import|export)\b|\bimport\s*[(.]", re.MULTILINE)
IMPORT = re.compile(r"import\s*\{(?P<names>(?:\s*[\w$]+\s*,)*\s*[\w$]*\s*)\}"
                    r'\s*from\s*"\./(?P<file>[\w.-]+)";')
EXPORT = re.compile(r"export\s+(?=(?:async\s+)?(?:function\b\s*\*?|class\b|const\b)"
                    r"\s*(?P<name>[\w$]+))")


@dataclass(frozen=True)
class Module:
    """The text of a module without its imports and exports, and the names it exports."""

    text: str
    exports: list[str]


def bundle(folder: Path, entry: str) -> str:
    """Return a classic script that runs the module `entry` of a folder after all that it imports.

    Every module keeps a scope of its own. The script is one expression, whose value holds what the
    entry exports: `export default` before it makes a module again. Raises ValueError naming file
    and line for what cannot be linked: another form of import or export, a module that is missing
    or imports itself through others, a name that is not exported.
    """
    linked: dict[str, Module] = {}
    _link(Path(folder), entry, linked, (), "entry")
    scopes = [f'modules["{name}"] = (() => {{\n{module.text}\n'
              f'return {{ {", ".join(module.exports)} }};\n}})();'
              for name, module in linked.items()]
    return "\n".join(['(() => {\n"use strict";\nconst modules = {};', *scopes,
                      f'return modules["{entry}"];\n}})()'])


def _link(folder: Path, name: str, linked: dict, importers: tuple, where: str) -> None:
    """Add a module to those linked, after the modules that it imports."""
    if name in importers:
        raise ValueError(f"{where}: {' -> '.join([*importers, name])} is a cycle")
    if not (folder / name).is_file():
        raise ValueError(f"{where}: there is no module {folder / name}")
    if name in linked:
        return
    text = (folder / name).read_text(encoding="utf-8")
    parts, exports, end = [], [], 0
    for where, found in _statements(name, text):
        parts.append(text[end:found.start()])
        end = found.end()
        if found.re is EXPORT:
            exports.append(found["name"])
            continue
        _link(folder, found["file"], linked, (*importers, name), where)
        names = found["names"].replace(",", " ").split()
        if missing := [one for one in names if one not in linked[found["file"]].exports]:
            raise ValueError(f"{where}: {found['file']} does not export {', '.join(missing)}")
        parts.append(f'const {{{found["names"]}}} = modules["{found["file"]}"];')
    linked[name] = Module("".join(parts) + text[end:], exports)


def _statements(name: str, text: str) -> Iterator[tuple[str, re.Match]]:
    """Yield every import and export of a module with its place, file and line."""
    code = COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)
    for start in (statement.start() for statement in STATEMENT.finditer(code)):
        line = code.count("\n", 0, start)
        where = f"{name}:{line + 1}"
        found = IMPORT.match(code, start) or EXPORT.match(code, start)
        if found is None:
            raise ValueError(f"{where}: cannot link {code.splitlines()[line].strip()!r}; "
                             "expected named imports or exports")
        yield where, found
