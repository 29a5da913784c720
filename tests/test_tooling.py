"""What the code itself promises: its style, and which way its imports point."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import ROOT

PACKAGE = ROOT / "sched_async"
STATIC = PACKAGE / "static"
SCRIPTS = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".mjs")]
FEATURES = ("sched_async.accounts", "sched_async.appointments", "sched_async.interop")
# What stands above the features and may use them all; anything else is their foundation.
ABOVE = {
    "sched_async",
    "sched_async.__main__",
    "sched_async.app",
    "sched_async.cli",
    "sched_async.health",
    "sched_async.import_sched",
    "sched_async.lifespan",
    "sched_async.testing",
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def module_name(name: str) -> str:
    """The module that a dotted name means, which may end in something inside of it."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def imports_of(module: str) -> Iterator[str]:
    """Every module of ours that a module imports, at its top or later."""
    path = MODULES[module]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{origin(node, path)}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (module_name(name) for name in names if name.split(".")[0] == "sched_async")


def origin(node: ast.ImportFrom, path: Path) -> str:
    """The absolute name of the module in ``from … import``."""
    if node.level == 0:
        return node.module or ""
    folders = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*folders, *([node.module] if node.module else [])])


def is_inside(module: str, *packages: str) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    "command", [("ruff", "format", "--check"), ("ruff", "check")], ids=" ".join
)
def test_the_checkers_find_nothing(command: tuple[str, ...]) -> None:
    run(*command)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module: str) -> None:
    imported = set(imports_of(module)) - {module}
    if module not in ("sched_async", "sched_async.__main__", "sched_async.cli"):
        assert "sched_async.app" not in imported
    if is_inside(module, "sched_async.accounts"):
        assert not [name for name in imported if is_inside(name, *FEATURES[1:])]
    elif is_inside(module, "sched_async.appointments"):
        assert not [name for name in imported if is_inside(name, "sched_async.interop")]
    elif module not in ABOVE and not is_inside(module, *FEATURES):
        assert not [name for name in imported if is_inside(name, *FEATURES)]


def test_the_import_test_sees_relative_and_absolute_imports() -> None:
    assert "sched_async.accounts.login" in set(imports_of("sched_async.accounts"))
    assert "sched_async.database" in set(imports_of("sched_async.accounts.registration.rules"))


def test_static_files_are_our_own_and_few() -> None:
    kinds = {path.suffix for path in STATIC.rglob("*") if path.is_file()}
    assert kinds <= {".css", ".js", ".mjs", ".svg", ".ico", ".png", ".webmanifest"}
    assert not list(STATIC.rglob("*.min.*"))
    assert not (ROOT / "node_modules").exists()


def test_pages_load_nothing_from_elsewhere() -> None:
    templates = (ROOT / "templates").rglob("*.html")
    for path in [*templates, *STATIC.rglob("*.css"), *SCRIPTS]:
        source = path.read_text("utf-8")
        for outside in ('src="http', 'src="//', 'href="http', 'href="//', "url(http", "@import"):
            assert outside not in source, path
    for path in SCRIPTS:
        assert "://" not in path.read_text("utf-8"), path


def test_scripts_insert_text_as_text() -> None:
    assert SCRIPTS
    for path in SCRIPTS:
        source = path.read_text("utf-8")
        for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert unsafe not in source, path


def test_ci_runs_the_test_command_of_the_readme_and_checks_types() -> None:
    in_ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\n.venv-newest/bin/mypy\n" in in_ci
    [command] = [line.strip() for line in in_ci.splitlines() if ".venv/bin/pytest" in line]
    assert command in (ROOT / "README.md").read_text("utf-8")


def test_whether_there_is_a_second_factor_is_known_in_one_place() -> None:
    """All but what makes, checks and keeps an app's secret ask ``has_second_factor``."""
    theirs = {"models.accounts", "accounts.factors", "accounts.settings.two_factor"}
    theirs |= {"accounts.two_factor.codes"}
    asking = {
        name.removeprefix("sched_async.")
        for name, path in MODULES.items()
        if "totp_secret" in path.read_text("utf-8") and "migrations" not in path.parts
    }
    assert asking == theirs
    for template in (ROOT / "templates").rglob("*.html"):
        assert "totp_secret" not in template.read_text("utf-8"), template
