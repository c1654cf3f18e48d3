"""The README's example runs."""

import re
from pathlib import Path


def test_the_python_example_runs(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(example, {})
    first, dead, groups = capsys.readouterr().out.splitlines()
    assert first.startswith("conv1 ") and dead.isdigit() and groups.startswith("[")
