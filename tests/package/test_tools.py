"""The tools of the repository: releases that are not ready, links to nowhere, the README."""

import base64
import ctypes
import hashlib
import importlib.util
import re
import shutil
import subprocess
import types
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tool(name: str) -> types.ModuleType:
    """Import a program of tools/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# A release


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """What a release looks at, as it is on the day of a release of version 3.2.1."""
    cargo = (ROOT / "Cargo.toml").read_text("utf-8")
    cargo, count = re.subn(r'(?m)^(version = )"[^"]+"', r'\1"3.2.1"', cargo, count=1)
    assert count == 1
    (tmp_path / "Cargo.toml").write_text(cargo, "utf-8")
    project = (ROOT / "pyproject.toml").read_text("utf-8").replace("OWNER", "somebody")
    (tmp_path / "pyproject.toml").write_text(project, "utf-8")
    changelog = (
        "# Changelog\n\n## [Unreleased]\n\n"
        "## [3.2.1] - 2026-12-01\n\n### Fixed\n\n- A thing.\n\n"
        "## [3.2.0] - 2026-11-01\n\n- Others.\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(changelog, "utf-8")
    return tmp_path


def test_a_release_prints_its_notes(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("release").main(["v3.2.1"], ready) == 0
    assert capsys.readouterr().out == "### Fixed\n\n- A thing.\n"


@pytest.mark.parametrize(
    ("tag", "file", "old", "new", "complaint"),
    [
        ("v3.2.2", "Cargo.toml", "", "", "the tag is v3.2.2, Cargo.toml has 3.2.1"),
        ("3.2.1", "Cargo.toml", "", "", "the tag is 3.2.1, Cargo.toml has 3.2.1"),
        ("v3.2.1", "CHANGELOG.md", "[3.2.1]", "[3.2.2]", "the topmost release in CHANGELOG.md"),
        ("v3.2.1", "CHANGELOG.md", "2026-12-01", "unreleased", "'unreleased' for the date"),
        ("v3.2.1", "pyproject.toml", "somebody/", "OWNER/", "OWNER in"),
    ],
)
def test_a_release_that_is_not_ready_is_refused(
    ready: Path,
    capsys: pytest.CaptureFixture[str],
    tag: str,
    file: str,
    old: str,
    new: str,
    complaint: str,
) -> None:
    text = (ready / file).read_text("utf-8")
    (ready / file).write_text(text.replace(old, new) if old else text, "utf-8")
    assert tool("release").main([tag], ready) == 1
    out, err = capsys.readouterr()
    assert complaint in err
    assert out == ""


def test_everything_that_is_wrong_with_a_release_is_said(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ready / "CHANGELOG.md").write_text("# Changelog\n", "utf-8")
    assert tool("release").main(["v9"], ready) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


# Links


def test_pages_read_on_a_code_host() -> None:
    """Without roles of Sphinx, and without links whose text Sphinx would fill in."""
    odd = re.compile(r"\{[\w:]+\}`|\[\]\(")
    pages = sorted((ROOT / "docs").rglob("*.md"))
    assert len(pages) > 20
    assert {
        page.name: hit[0] for page in pages if (hit := odd.search(page.read_text("utf-8")))
    } == {}


def test_the_readme_of_a_package_index_has_absolute_links(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (
        "![plot](docs/a.svg) and [text](docs/a.md#b), [here](#here),\n"
        "[there](https://example.org/) `list[0](x)`\n"
    )
    (ready / "README.md").write_text(readme, "utf-8")
    assert tool("readme").main([], ready) == 0
    source = "https://github.com/somebody/oxisock"
    wanted = (
        f"![plot]({source}/raw/v3.2.1/docs/a.svg) and [text]({source}/blob/v3.2.1/docs/a.md#b), "
        "[here](#here),\n[there](https://example.org/) `list[0](x)`\n"
    )
    assert capsys.readouterr().out == wanted
    assert tool("readme").main(["--write"], ready) == 0
    assert (ready / "README.md").read_text("utf-8") == wanted


def test_the_readme_has_no_link_that_is_overlooked() -> None:
    pytest.importorskip("markdown_it")
    readme = tool("readme")
    text = readme.absolute((ROOT / "README.md").read_text("utf-8"), "https://example.org", "v1")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 3
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository without files."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def test_links_that_lead_nowhere_are_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("markdown_it")
    (repository / "a.md").write_text(
        "# A title, `coded`\n\n## Twice\n\n## Twice\n\n"
        "[good](b.md) [good](sub/) [good](#a-title-coded) [good](b.md#the-b) [good](#twice-1)\n"
        "[elsewhere](https://example.org/gone.md)\n\n"
        "[bad](c.md)\n\n| table |\n|---|\n| [bad](#twice-2) |\n\n"
        "![bad](b.png) [bad](b.md#nothing)\n",
        "utf-8",
    )
    (repository / "b.md").write_text("# The B\n", "utf-8")
    (repository / "sub").mkdir()
    assert tool("check_links").main(repository) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a.md:10: c.md",
        "a.md:14: #twice-2",
        "a.md:16: b.png",
        "a.md:16: b.md#nothing",
    ]


def test_every_link_of_this_repository_leads_somewhere() -> None:
    pytest.importorskip("markdown_it")
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is no checkout, or git is missing")
    links = tool("check_links")
    assert {page: found for page in links.pages(ROOT) if (found := [*links.dead_links(page)])} == {}


# Symbols for native debuggers


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with a library that has symbols."""
    for program in ("gcc", "objcopy", "readelf"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    source = tmp_path / "thing.c"
    source.write_text("int thing(int number) { return number + 1; }\n")
    library = tmp_path / "_thing.so"
    subprocess.run(
        ["gcc", "-g", "-shared", "-fPIC", "-Wl,--build-id=sha1", "-o", library, source], check=True
    )
    path = tmp_path / "thing-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as out:
        out.write(library, "thing/_thing.so")
        out.writestr("thing/__init__.py", "")
        out.writestr(
            "thing-1.dist-info/RECORD",
            "thing/_thing.so,sha256=old,1\nthing/__init__.py,sha256=x,0\nthing-1.dist-info/RECORD,,\n",
        )
    return path


def sections(library: Path) -> str:
    command = ["readelf", "--section-headers", "--wide", str(library)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_symbols_go_into_files_of_their_own(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "symbols"
    assert tool("split_symbols").main(["--out", str(folder), str(wheel)]) == 0
    (symbols,) = folder.rglob("*.debug")
    assert str(symbols.relative_to(folder)) in capsys.readouterr().out
    assert re.fullmatch(
        r"\.build-id/[0-9a-f]{2}/[0-9a-f]{38}\.debug", str(symbols.relative_to(folder))
    )
    with zipfile.ZipFile(wheel) as split:
        split.extractall(tmp_path / "installed")
        names = split.namelist()
    assert names == ["thing/_thing.so", "thing/__init__.py", "thing-1.dist-info/RECORD"]
    library = tmp_path / "installed" / "thing" / "_thing.so"
    assert ".debug_" not in sections(library)
    assert ".debug_line" in sections(symbols)
    data = library.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = (tmp_path / "installed" / "thing-1.dist-info" / "RECORD").read_text().splitlines()
    assert record == [
        f"thing/_thing.so,sha256={digest},{len(data)}",
        "thing/__init__.py,sha256=x,0",
        "thing-1.dist-info/RECORD,,",
    ]
    assert ctypes.CDLL(str(library)).thing(1) == 2
    if shutil.which("gdb"):
        # Found by the build ID, as docs/debugging.md says.
        done = subprocess.run(
            ["gdb", "--batch", "-nx", "-ex", f"set debug-file-directory {folder}",
             "-ex", f"file {library}", "-ex", "info line thing"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert 'Line 1 of "' in done.stdout, done.stdout + done.stderr


def test_a_wheel_without_symbols_is_refused(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = tool("split_symbols").main
    assert main(["--out", str(tmp_path / "symbols"), str(wheel)]) == 0
    before = wheel.read_bytes()
    assert main(["--out", str(tmp_path / "symbols"), str(wheel)]) == 1
    assert "has no symbols" in capsys.readouterr().err
    assert wheel.read_bytes() == before
