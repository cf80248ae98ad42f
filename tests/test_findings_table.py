"""Every finding of the contract has a test, and `findings.md` says which."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LINES = re.findall(
    r"^\| ([DCI]\d{3}) \| .+ \| (\S+)::(\S+) \|$", (HERE / "findings.md").read_text(), re.MULTILINE
)
CODES = [
    *(f"D{n:03}" for n in range(1, 46)),
    *(f"C{n:03}" for n in range(1, 13)),
    *(f"I{n:03}" for n in range(1, 7)),
]


def test_no_code_is_left_out() -> None:
    assert [code for code, _, _ in LINES] == CODES


@pytest.mark.parametrize(("code", "file", "name"), LINES)
def test_the_test_of_a_code_names_it(code: str, file: str, name: str) -> None:
    text = (HERE / file).read_text(encoding="utf-8")
    found = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name]
    start = min(node.lineno for node in [found[0], *found[0].decorator_list])
    assert code in "\n".join(text.splitlines()[start - 1 : found[0].end_lineno])
