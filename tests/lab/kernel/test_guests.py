# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection under kernels that have a defect and kernels that have none: `make kernel-lab`.

KERNEL_LAB_KERNELS is the folder that lab/kernel/build.sh has filled. Each guest has one CPU of this machine.
"""

from __future__ import annotations

import compileall
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
sys.path.insert(0, str(HERE))

import document  # noqa: E402
import kernels  # noqa: E402

from lab.kernel import guest  # noqa: E402


@dataclass(frozen=True)
class Job:
    """One guest: its kernel and what runs in it."""

    kernel: str
    work: str
    command: tuple[str, ...]


def _tests(*files: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", "-q", "-rs", "-s", "-p", "no:cacheprovider", *(str(HERE / "inside" / name) for name in files))


# The longest first: two guests run at a time.
JOBS = (
    Job("zero_checksum", "collection", _tests("test_collection.py")),
    Job("zero_checksum", "table", (sys.executable, "-m", "lab.kernel.table")),
    Job("plain", "table", (sys.executable, "-m", "lab.kernel.table")),
    Job("plain", "collection", _tests("test_collection.py", "test_ipvs.py")),
    Job("no_lco_checksum", "collection", _tests("test_collection.py")),
    Job("no_lco_checksum", "table", (sys.executable, "-m", "lab.kernel.table")),
)
Answers = dict[tuple[str, str], "Future[guest.Result]"]


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guests")


@pytest.fixture(scope="session")
def answers(request: pytest.FixtureRequest, scratch: Path, collections: Path) -> Iterator[Answers]:
    """All guests, each pinned to a CPU: a User Mode Linux kernel is one thread, and moving costs it a quarter of its speed."""
    for folder in ("lab", "plugins", "tests"):
        compileall.compile_dir(REPOSITORY / folder, quiet=1)  # a guest cannot write what it compiles
    cpus = sorted(os.sched_getaffinity(0))
    free = iter(cpus)
    wanted = [job for job in JOBS if _asked_for(job, request.session.items)]
    with ThreadPoolExecutor(len(cpus), initializer=lambda: os.sched_setaffinity(0, {next(free)})) as pool:
        yield {(job.kernel, job.work): pool.submit(_boot, job, scratch, collections) for job in wanted}


def _asked_for(job: Job, items: Sequence[pytest.Item]) -> bool:
    """Whether one of the selected tests needs this guest."""
    names = {item.name for item in items}
    if job.work == "collection":
        return "test_the_collection_on[%s]" % job.kernel in names
    return bool(names & {"test_each_cell_of_the_table_on[%s]" % job.kernel, "test_the_table_is_as_committed"})


def _boot(job: Job, scratch: Path, collections: Path) -> guest.Result:
    folder = scratch / ("%s-%s" % (job.kernel, job.work))
    folder.mkdir()
    facts = kernels.BY_NAME[job.kernel]
    selftest = {"zero_checksum": facts.zero_checksum, "lco_checksum": facts.lco_checksum, "reason": "", "source": "kernel_selftest"}
    measured = facts.remedies_on or "udpcsum"
    arguments = (str(folder / "table.json"), json.dumps(selftest), measured) if job.work == "table" else ()
    environment = {
        "PATH": "%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" % Path(sys.executable).parent,
        "PYTHONPATH": "%s:%s" % (collections, REPOSITORY),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "KERNEL_LAB": job.kernel,
    }
    kernel = Path(os.environ["KERNEL_LAB_KERNELS"]) / job.kernel
    began = time.monotonic()
    answer = guest.run(kernel, [*job.command, *arguments], folder, environment, timeout=1080)
    print("guest %s, %s: %d s" % (job.kernel, job.work, time.monotonic() - began))
    return answer


@pytest.mark.parametrize("kernel", [kernel.name for kernel in kernels.KERNELS])
def test_the_collection_on(kernel: str, answers: Answers) -> None:
    answer = answers[kernel, "collection"].result()
    print(answer.output)
    assert answer.returncode == 0, answer.output


@pytest.mark.parametrize("kernel", [kernel.name for kernel in kernels.KERNELS])
def test_each_cell_of_the_table_on(kernel: str, answers: Answers, scratch: Path) -> None:
    rows = _rows(kernel, answers, scratch)
    facts = kernels.BY_NAME[kernel]
    for row in rows:
        where = "%(checksum)s %(scenario)s %(remedy)s" % row
        assert _verdict(row["verdict"]) == _hit(row["before"]), where
        if row["remedy"] and not row["refused"]:
            assert _verdict(row["verdict_after"]) == _hit(row["after"]), where
            assert _verdict(row["simulated"]) == _hit(row["after"]), where
        if row["remedy"]:
            assert row["reverted"] == row["before"], where
    broken = {row["checksum"] for row in rows if row["before"]["node_to_service"] != {"udp": "ok", "tcp": "ok"}}
    assert broken == {mode for mode in ("udpcsum", "noudpcsum") if facts.broken(mode)}


def _verdict(found: dict[str, str]) -> dict[str, str]:
    return {kind: found[kind] for kind in ("udp", "tcp")}


def _hit(paths: dict[str, dict[str, str]]) -> dict[str, str]:
    return paths["node_to_service"]


def _rows(kernel: str, answers: Answers, scratch: Path) -> list[dict[str, Any]]:
    answer = answers[kernel, "table"].result()
    assert answer.returncode == 0, answer.output
    found: list[dict[str, Any]] = json.loads((scratch / ("%s-table" % kernel) / "table.json").read_text(encoding="utf-8"))
    return found


def test_the_table_is_as_committed(answers: Answers, scratch: Path) -> None:
    """`make kernel-lab-table` writes it anew."""
    text = document.text({kernel.name: _rows(kernel.name, answers, scratch) for kernel in kernels.KERNELS})
    committed = REPOSITORY / "docs" / "kernel-lab.md"
    if os.environ.get("KERNEL_LAB_WRITE"):
        committed.write_text(text, encoding="utf-8")
    assert committed.read_text(encoding="utf-8") == text
