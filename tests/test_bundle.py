"""A bundle computes what its modules compute, and what cannot be linked is named by its place."""

import json
from random import Random

import pytest

from commands import run
from helpers.bundle import bundle

KINDS = [
    "export const {0} = {1};",
    "export function {0}() {{\n  return {1};\n}}\nconsole.log({0}());",
    "export async function {0}() {{}}\nconsole.log({0}.name, {1});",
    "export function* {0}() {{\n  yield {1};\n}}\nconsole.log([...{0}()]);",
    "export class {0} {{\n  value = {1};\n}}\nconsole.log(new {0}().value);",
]
NAMES = ["a", "b", "$c", "_d", "modules_", "text"]


def write(folder, **modules):
    """Write modules, named without their ending."""
    folder.mkdir(exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def random_modules(random):
    """Some modules, each importing from those before it; a name means another thing in each."""
    modules, exported = {}, {}
    for place in range(random.randint(1, 7)):
        lines, used, own = [], [], random.sample(NAMES, 4)
        for other in random.sample(list(exported), random.randint(0, len(exported))):
            names = [name for name in random.sample(exported[other], 2) if name not in own + used]
            if names:
                space = random.choice([" ", "\n  "])
                lines.append(f'import {{{space}{f",{space}".join(names)},\n}} from "./{other}.js";')
                used += names
        lines.append(f'/** @type {{import("./m0.js").a}} */\nconst secret = "m{place}";')
        for name in own:
            value = f"[secret, {', '.join(f'typeof {one}' for one in used)}]"
            lines.append(random.choice(KINDS).format(name, value))
        lines.append("console.log(secret, (function () {\n  return this;\n})());")  # strict mode
        lines.append('// import { nothing } from "./nowhere.js";\n// the end')
        name = f"m{place}"
        modules[name], exported[name] = "\n".join(lines), own
    return modules, name


def test_a_bundle_computes_what_its_modules_compute(tmp_path):
    random = Random(0)
    for case in range(40):
        modules, entry = random_modules(random)
        folder = write(tmp_path / str(case), **modules)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "bundled.cjs").write_text(f"exports.all = {bundle(folder, f'{entry}.js')};")
        (folder / "entry").write_text(entry)
    say = "console.log(Object.keys(all).sort(), Object.values(all).map(String).sort());"
    entries = [(case, (tmp_path / str(case) / "entry").read_text()) for case in range(40)]
    (tmp_path / "modules.mjs").write_text("\n".join(
        f'await import("./{case}/{entry}.js").then((all) => {{ {say} }});'
        for case, entry in entries))
    (tmp_path / "bundles.cjs").write_text("\n".join(
        f'{{ const {{ all }} = require("./{case}/bundled.cjs"); {say} }}' for case, _ in entries))
    expected = run("node", "modules.mjs", folder=tmp_path)
    assert expected[0] == 0 and len(expected[1].splitlines()) > 500
    assert run("node", "bundles.cjs", folder=tmp_path) == expected


def test_a_script_leaves_nothing_behind_and_with_export_default_is_a_module(tmp_path):
    folder = write(tmp_path, entry="export const one = 1;\nglobalThis.ran = true;")
    script = bundle(folder, "entry.js")
    run_in = ("const before = Object.keys(globalThis).length; new (require('vm').Script)({}).run"
              "InThisContext(); console.log(ran, Object.keys(globalThis).length - before);")
    assert run("node", "-e", run_in.format(json.dumps(script))) == (0, "true 1\n")
    (folder / "module.mjs").write_text(f"export default {script};")
    said = 'import found from "./module.mjs"; console.log(found);'
    assert run("node", "--input-type=module", "-e", said, folder=folder) == (0, "{ one: 1 }\n")


def test_lines_stay_lines(tmp_path):
    text = 'import {\n  a,\n} from "./a.js";\n/* b\n */\nexport const b = a;'
    script = bundle(write(tmp_path, a="export const a = 1;", entry=text), "entry.js")
    linked = text.replace("import {\n  a,\n} from", "const {\n  a,\n} = modules[").replace(
        '[ "./a.js"', '["a.js"]').replace("export ", "")
    assert linked in script


@pytest.mark.parametrize("statement", [
    "import a from './a.js';", 'import a from "./a.js";', 'import * as a from "./a.js";',
    'import { a as b } from "./a.js";', 'import "./a.js";', 'import { a } from "a";',
    'import { a } from "../a.js";', 'import { a } from "./a.js"', "export default 1;",
    "export { a };", 'export * from "./a.js";', 'export { a } from "./a.js";', "export let b = 1;",
    "export const { b } = {};", "export const [b] = [];", "const b = await import('./a.js');",
    "const b = import.meta.url;", "export default class {}", "export default function b() {}",
])
def test_what_cannot_be_linked_is_named_by_file_and_line(tmp_path, statement):
    text = f"/* one\ntwo */\nconst c = 1;\n{statement}\n"
    folder = write(tmp_path, a="export const a = 1;", b=text,
                   entry='import { b } from "./b.js";\nb();')
    with pytest.raises(ValueError, match=r"^b\.js:4: cannot link .*; expected named imports"):
        bundle(folder, "entry.js")


@pytest.mark.parametrize("text, message", [
    ('import { a } from "./c.js";', r"^b.js:2: there is no module .*c\.js$"),
    ('import { a, c, d } from "./a.js";', "^b.js:2: a.js does not export c, d$"),
    ('import { e } from "./entry.js";', r"^b.js:2: entry\.js -> b\.js -> entry\.js is a cycle$"),
    ('import { b } from "./b.js";', r"^b.js:2: entry\.js -> b\.js -> b\.js is a cycle$"),
])
def test_what_leads_nowhere_is_named_by_file_and_line(tmp_path, text, message):
    folder = write(tmp_path, a="export const a = 1;", b=f"\n{text}\nexport const b = 1;",
                   entry='import { b } from "./b.js";\nexport const e = b;')
    with pytest.raises(ValueError, match=message):
        bundle(folder, "entry.js")


def test_a_missing_entry_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"^entry: there is no module .*page\.js$"):
        bundle(tmp_path, "page.js")
