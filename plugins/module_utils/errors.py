# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the node side: a line that a user can act on."""

from typing import Any, Callable, Dict


class NodeError(Exception):
    """What happened, on what, and what to do: one lower-case line."""


def answer(module, run):  # type: (Any, Callable[[Any], Dict[str, Any]]) -> None
    """End the module with what `run` returns, or with its error as the message of the failure."""
    try:
        result = run(module)
    except NodeError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


def one_line(text):  # type: (str) -> str
    """The output of a tool as one line, for an error message."""
    return "; ".join(part.strip() for part in text.splitlines() if part.strip())
