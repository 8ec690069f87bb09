# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the selftest answers when the node lets it do nothing. What it sees on kernels: tests/lab/test_kernel_selftest.py."""

import json
import subprocess
import sys
import time

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import experiment

# In a process of its own, which gets the limit.
LIMITED = """
import json, resource
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import experiment
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
print(json.dumps(experiment.selftest(False, 5)))
"""


def test_a_node_without_a_descriptor_left_is_unknown_with_the_reason():
    done = subprocess.run([sys.executable, "-c", LIMITED], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout.decode())
    assert (found["zero_checksum"], found["lco_checksum"]) == ("unknown", "unknown")
    assert "Too many open files" in found["reason"]


@pytest.mark.parametrize(("seconds", "limit"), [(0.2, 0.2), (60, experiment.VERSION_SECONDS)])
def test_a_program_that_does_not_say_its_version_costs_little(seconds, limit):
    start = time.monotonic()
    assert experiment.version_runner(seconds)(["sleep", "30"])[0] == 124
    assert time.monotonic() - start < limit + 1
