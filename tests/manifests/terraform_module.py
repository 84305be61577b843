"""A Terraform module as Python objects, and as TypeScript that a compiler can hold against the types of
its providers: one constant for each resource and data source, with every argument and nested block."""
import functools
import json
import pathlib
import re

import parts

META_ARGUMENTS = {"count", "for_each", "depends_on", "lifecycle", "provider", "provisioner", "connection"}
HEAD = """import type { IResolvable } from 'cdktf';
/* An expression: of any type. */
declare const expression: any;
/* Arguments as they are; nested blocks, once or several times, as arrays. */
type Body<T> = { [K in keyof T]: Member<T[K], Exclude<T[K], IResolvable | undefined>> };
type Member<T, V> = V extends (infer U)[] ? (U extends object ? Body<U>[] : T)
    : V extends object ? (string extends keyof V ? T : Body<V>[]) : T;
"""


def unquoted(text):
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


class Module:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        script = pathlib.Path(__file__).with_name("hcl_json.py")
        self.blocks = json.loads(parts.run(parts.python_with(parts.HCL), str(script), str(folder)))
        self.text = "\n".join(path.read_text() for path in sorted(self.folder.glob("*.tf")))

    @classmethod
    @functools.cache
    def read(cls, folder):
        """Once: parsing takes seconds."""
        return cls(folder)

    def named(self, kind):
        """{name: body} of blocks with one label."""
        return {unquoted(name): body for block in self.blocks.get(kind, [])
                for name, body in block.items() if name != "__is_block__"}

    def typed(self, kind):
        """{(type, name): body} of resources and data sources."""
        return {(kind_of, unquoted(name)): body for kind_of, found in
                ((unquoted(first), second) for block in self.blocks.get(kind, []) for first, second in block.items())
                for name, body in found.items() if name != "__is_block__"}

    def locals(self):
        return {name for block in self.blocks.get("locals", []) for name in block if name != "__is_block__"}

    def expressions(self):
        """What is evaluated: the text without comments and without literal text."""
        text = re.sub(r"(?m)^\s*#.*$", "", self.text)
        literals = re.compile(r'"(?:[^"\\]|\\.)*"')
        inner = lambda literal: " ".join(re.findall(r"\$\{([^}]*)\}", literal.group(0)))
        return literals.sub(inner, text)

    def undeclared(self):
        """References to what the module does not declare."""
        text = self.expressions()
        resources = {".".join(key) for key in self.typed("resource")}
        data = {".".join(key) for key in self.typed("data")}
        wrong = {f"var.{name}" for name in re.findall(r"\bvar\.(\w+)", text)} - {
            f"var.{name}" for name in self.named("variable")}
        wrong |= {f"local.{name}" for name in re.findall(r"\blocal\.(\w+)", text)} - {
            f"local.{name}" for name in self.locals()}
        wrong |= {f"data.{name}" for name in re.findall(r"\bdata\.(\w+\.\w+)", text)} - {
            f"data.{name}" for name in data}
        wrong |= set(re.findall(r"(?<![\w.])((?:google|aws)_\w+\.\w+)", text)) - resources
        return sorted(wrong)

    def typescript(self, types):
        """`types`: the folder with node_modules."""
        lines = [HEAD]
        for kind in ("resource", "data"):
            for number, ((type_, name), body) in enumerate(self.typed(kind).items()):
                provider, rest = type_.split("_", 1)
                module = (f"data-{provider}-{rest}" if kind == "data" else rest).replace("_", "-")
                package = f"@cdktf/provider-{provider}/lib/{module}"
                declared = types / "node_modules" / package / "index.d.ts"
                if not declared.exists():
                    raise AssertionError(f"{self.folder}: {provider} has no {kind} {type_}")
                config = re.search(r"interface (\w+) extends cdktf\.TerraformMetaArguments", declared.read_text()).group(1)
                lines.append(f"/* {type_}.{name} */\nimport type {{ {config} as {kind}{number} }} from '{package}';\n"
                             f"export const a_{kind}_{number}: Body<{kind}{number}> = {object_of(body, META_ARGUMENTS)};\n")
        return "\n".join(lines)


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def object_of(body, left_out=frozenset()):
    members = {}
    for name, value in body.items():
        if name == "dynamic":
            for kind, found in ((kind, found) for block in value for kind, found in block.items()):
                if kind != "__is_block__":  # beside blocks of the same kind
                    members.setdefault(camel(unquoted(kind)), []).append(object_of(found["content"][0]))
        elif name != "__is_block__" and name not in left_out:
            is_block = isinstance(value, list) and value and isinstance(value[0], dict) and "__is_block__" in value[0]
            members[camel(name)] = [object_of(item) for item in value] if is_block else value_of(value)
    return "{ " + ", ".join(f"{name}: " + (text if isinstance(text, str) else "[" + ", ".join(text) + "]")
                            for name, text in members.items()) + " }"


def value_of(value):
    if isinstance(value, list):
        return "[" + ", ".join(value_of(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(unquoted(name))}: {value_of(item)}"
                                for name, item in value.items()) + " }"
    if isinstance(value, str):
        return value if value.startswith('"') and "${" not in value else "expression"
    return json.dumps(value)
