# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show on a terminal what a run over many hosts does and has found."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Shows what a run over many hosts does and has found, and the summary by cause
version_added: 1.0.0
author: [kubenet authors (@kubenet)]
description:
  - Keeps one line on stderr that says how many hosts were read, how many have which status, how many are unreachable or failed, and which
    task runs. The output of the playbook itself is left as it is, above that line.
  - At the end it prints for each cause that needs somebody how many hosts have it, their names and what to do, the worst first. It takes
    that from the C(fleet.json) that P(kubenet.vxlan_offload.fleet_report#module) wrote in this run.
  - Prints nothing at all when stderr is not a terminal, as in a pipe, a CI or AWX.
  - With C(TERM=dumb) only the summary is printed.
  - While the run goes on, statuses are judged for at most 2 % of its time. Hosts beyond that are counted as read only, and the
    line says of how many the statuses are. The summary has them all.
  - C(NO_COLOR) and C(ANSIBLE_NOCOLOR) turn its colours off.
requirements:
  - It is enabled in the configuration, C(callbacks_enabled = kubenet.vxlan_offload.progress), or in the environment,
    C(ANSIBLE_CALLBACKS_ENABLED=kubenet.vxlan_offload.progress).
options:
  refresh:
    description: Seconds that pass at least between two updates of the line.
    type: float
    default: 0.2
    env:
      - name: VXLAN_OFFLOAD_PROGRESS_REFRESH
    ini:
      - section: callback_vxlan_offload_progress
        key: refresh
  names:
    description: How many hosts the summary names for each cause.
    type: int
    default: 5
    env:
      - name: VXLAN_OFFLOAD_PROGRESS_NAMES
    ini:
      - section: callback_vxlan_offload_progress
        key: names
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# callbacks_enabled = kubenet.vxlan_offload.progress
#
# [callback_vxlan_offload_progress]
# names = 10
"""

import atexit
import os
import sys
import threading
import time
import typing as t

from ansible import constants as C
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.progress_text import Tally, fitting, summary_lines
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import parsed

ERASE = "\r\033[K"


class Line:
    """The last line of the terminal. Everything that Ansible displays goes above it."""

    def __init__(self, stream: t.TextIO, moving: bool) -> None:
        self._stream, self._moving = stream, moving
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._text = ""
        self._display = Display()
        self._original = self._display.display
        self._display.display = self._above
        atexit.register(self.end)

    def width(self) -> int:
        try:
            # The last column stays empty: a terminal may wrap behind it.
            return (os.get_terminal_size(self._stream.fileno()).columns or 80) - 1
        except OSError:
            return 79

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal is gone
            self._moving = False

    def _above(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        # A worker hands over to the main process, which comes here again.
        if os.getpid() != self._pid or kwargs.get("log_only"):
            return self._original(*args, **kwargs)
        with self._lock:
            shown, self._text = self._text, ""
            if shown:
                self._write(ERASE)
            self._original(*args, **kwargs)
            # Text without an end of line (a prompt, a row of dots) would be erased with the next update.
            if shown and kwargs.get("newline", True):
                sys.stdout.flush()
                self._show(shown)
            return None

    def _show(self, text: str) -> None:
        self._write(ERASE + text)
        self._text = text

    def show(self, text: str) -> None:
        """Replace the line."""
        with self._lock:
            if self._moving:
                self._show(fitting(text, self.width()))

    def end(self, lines: t.Sequence[str] = ()) -> None:
        """Take the line away for good, and print these."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._display.__dict__.get("display") == self._above:
                del self._display.display
            if self._text:
                self._write(ERASE)
            self._text, self._moving = "", False
            sys.stdout.flush()
            if lines:
                self._write("".join(f"{line}\n" for line in lines))


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "kubenet.vxlan_offload.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._report = ""
        self._play_id = ""
        self._shown = 0.0
        self.disabled = not sys.stderr.isatty()
        if not self.disabled:
            self._tally = Tally()
            self._line = Line(sys.stderr, os.environ.get("TERM", "dumb") != "dumb")

    def _update(self, now: bool = False) -> None:
        """Show the line, not too often."""
        if now or time.monotonic() - self._shown >= self.get_option("refresh"):
            self._line.show(self._tally.line())
            self._shown = time.monotonic()

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        same = play._uuid == self._play_id
        self._tally.batch = self._tally.batch + 1 if same else 1
        self._play_id = play._uuid
        self._tally.play, self._tally.task = play.get_name(), ""
        inventory = play.get_variable_manager()._inventory
        self._tally.total = len(inventory.get_hosts(play.hosts, ignore_restrictions=True)) if inventory else 0

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._tally.task = task.get_name()
        self._update()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._finished(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._tally.failed(self._of(result, "host").get_name())
        self._finished(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._tally.unreachable(self._of(result, "host").get_name())
        self._update()

    @staticmethod
    def _of(result: t.Any, name: str) -> t.Any:
        """ansible-core 2.19 gave its results names without an underscore, and will take the others away."""
        found = getattr(result, name, None)
        return getattr(result, "_" + name) if found is None else found

    def _finished(self, result: t.Any) -> None:
        action = str(self._of(result, "task").action).rpartition(".")[2]
        value = self._of(result, "result")
        if action == "node_info":
            self._tally.read(self._of(result, "host").get_name(), value)
        elif action == "fleet_report":
            self._report = str(value.get("path") or self._report)
        self._update()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._line.end(self._summary())

    def _summary(self) -> list[str]:
        if not self._report:
            return []
        try:
            with open(self._report, encoding="utf-8") as stream:
                report = parsed(stream.read())
        except (OSError, ValueError) as error:
            return [f"progress: no summary, {self._report} cannot be read: {getattr(error, 'strerror', None) or error}"]
        colour = not (os.environ.get("NO_COLOR") or C.ANSIBLE_NOCOLOR or os.environ.get("TERM", "dumb") == "dumb")
        return summary_lines(report, self.get_option("names"), colour)
