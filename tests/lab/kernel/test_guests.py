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


TESTS = (sys.executable, "-m", "pytest", "-q", "-rs", "-s", "-p", "no:cacheprovider")
TABLE = (sys.executable, "-m", "lab.kernel.table")
COLLECTION = (*TESTS, str(HERE / "inside" / "test_collection.py"))
# The lab's own tests of what this machine's kernel may not have.
IPVS = (*TESTS, str(HERE.parent / "test_modes.py"), "-k", "ipvs")

# The longest first: two guests run at a time.
JOBS = (
    Job("plain", "ipvs", IPVS),
    Job("zero_checksum", "collection", COLLECTION),
    Job("plain", "collection", COLLECTION),
    Job("zero_checksum", "table", TABLE),
    Job("plain", "table", TABLE),
    Job("no_lco_checksum", "table", TABLE),
    Job("no_lco_checksum", "collection", COLLECTION),
)
TIMEOUT = 1500  # seconds for a guest; the longest takes 430 to 500 on a quiet machine
GUESTS_AT_ONCE = 2  # each has 1.2 GB
Answers = dict[tuple[str, str], Future[guest.Result]]


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guests")


@pytest.fixture(scope="session")
def answers(request: pytest.FixtureRequest, scratch: Path, collections: Path) -> Iterator[Answers]:
    """All guests, each pinned to a CPU: a User Mode Linux kernel is one thread, and moving costs it a quarter of its speed."""
    for folder in ("lab", "plugins", "tests"):
        compileall.compile_dir(REPOSITORY / folder, quiet=1)  # a guest cannot write what it compiles
    cpus = sorted(os.sched_getaffinity(0))[:GUESTS_AT_ONCE]
    free = iter(cpus)
    wanted = [job for job in JOBS if _asked_for(job, request.session.items)]
    pool = ThreadPoolExecutor(len(cpus), initializer=lambda: os.sched_setaffinity(0, {next(free)}))
    try:
        yield {(job.kernel, job.work): pool.submit(_boot, job, scratch, collections) for job in wanted}
    finally:
        pool.shutdown(cancel_futures=True)


def _asked_for(job: Job, items: Sequence[pytest.Item]) -> bool:
    """Whether one of the selected tests needs this guest."""
    names = {item.name for item in items}
    if job.work == "table":
        return bool(names & {"test_each_cell_of_the_table_on[%s]" % job.kernel, "test_the_table_is_as_committed"})
    return {"collection": "test_the_collection_on[%s]" % job.kernel, "ipvs": "test_ipvs_mode"}[job.work] in names


def _boot(job: Job, scratch: Path, collections: Path) -> guest.Result:
    folder = scratch / ("%s-%s" % (job.kernel, job.work))
    folder.mkdir()
    remedies_on = kernels.BY_NAME[job.kernel].remedies_on or "udpcsum"
    arguments = (str(folder / "table.json"), remedies_on) if job.work == "table" else ()
    environment = {
        "PATH": "%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" % Path(sys.executable).parent,
        "PYTHONPATH": "%s:%s" % (collections, REPOSITORY),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "KERNEL_LAB": job.kernel,
        "KERNEL_LAB_SHORT": os.environ.get("KERNEL_LAB_SHORT", ""),
    }
    kernel = Path(os.environ["KERNEL_LAB_KERNELS"]) / job.kernel
    began = time.monotonic()
    answer = guest.run(kernel, [*job.command, *arguments], folder, environment, timeout=TIMEOUT)
    print("guest %s, %s: %d s" % (job.kernel, job.work, time.monotonic() - began))
    return answer


@pytest.mark.parametrize("kernel", [kernel.name for kernel in kernels.KERNELS])
def test_the_collection_on(kernel: str, answers: Answers) -> None:
    answer = answers[kernel, "collection"].result()
    print(answer.output)
    assert answer.returncode == 0, answer.output


@pytest.mark.parametrize("kernel", [kernel.name for kernel in kernels.KERNELS])
def test_each_cell_of_the_table_on(kernel: str, answers: Answers, scratch: Path) -> None:
    measured = _measured(kernel, answers, scratch)
    rows, facts = measured["rows"], kernels.BY_NAME[kernel]
    assert (measured["selftest"]["zero_checksum"], measured["selftest"]["lco_checksum"]) == (facts.zero_checksum, facts.lco_checksum)
    for row in rows:
        where = "%(checksum)s %(scenario)s %(remedy)s" % row
        assert _verdict(row["verdict"]) == _hit(row["before"]), where
        if row["remedy"]:
            # A remedy that was refused changes nothing, and what its simulation says is still what packets do.
            assert _verdict(row["verdict_after"]) == _verdict(row["simulated"]) == _hit(row["after"]), where
            assert bool(row["refused"]) == (row["after"] == row["before"]), where
            assert row["reverted"] == row["before"], where
    broken = {row["checksum"] for row in rows if row["before"]["node_to_service"] != {"udp": "ok", "tcp": "ok"}}
    assert broken == {mode for mode in ("udpcsum", "noudpcsum") if facts.broken(mode)}


def _verdict(found: dict[str, str]) -> dict[str, str]:
    return {kind: found[kind] for kind in ("udp", "tcp")}


def _hit(paths: dict[str, dict[str, str]]) -> dict[str, str]:
    return paths["node_to_service"]


def _measured(kernel: str, answers: Answers, scratch: Path) -> dict[str, Any]:
    answer = answers[kernel, "table"].result()
    assert answer.returncode == 0, answer.output
    found: dict[str, Any] = json.loads((scratch / ("%s-table" % kernel) / "table.json").read_text(encoding="utf-8"))
    return found


def test_ipvs_mode(answers: Answers) -> None:
    answer = answers["plain", "ipvs"].result()
    print(answer.output)
    assert answer.returncode == 0, answer.output


def test_the_table_is_as_committed(answers: Answers, scratch: Path) -> None:
    """`make kernel-lab-table` writes it anew."""
    measured = {kernel.name: _measured(kernel.name, answers, scratch) for kernel in kernels.KERNELS}
    releases = {one["release"].split("-", 1)[0].rsplit(".", 1)[0] for one in measured.values()}
    assert releases == {kernels.SERIES}, "the page is about %s: put the linux-source of that series into /usr/src" % kernels.SERIES
    text = document.text({name: one["rows"] for name, one in measured.items()})
    committed = REPOSITORY / "docs" / "kernel-lab.md"
    if os.environ.get("KERNEL_LAB_WRITE"):
        committed.write_text(text, encoding="utf-8")
    assert committed.read_text(encoding="utf-8") == text
