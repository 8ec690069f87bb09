# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small controller on 127.0.0.1 that keeps what is posted: as much of AWX's API as the modules of awx.awx 24.6.1 use.

It refuses what AWX refuses and these modules can send: a playbook that the project does not have, a survey that breaks the rules.
It runs no job.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

import awx_rules

TYPES = {
    "execution_environments": "execution_environment", "projects": "project", "inventories": "inventory", "credentials": "credential",
    "organizations": "organization", "job_templates": "job_template", "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node", "workflow_approval_templates": "workflow_approval_template",
}  # fmt: skip
UNIFIED = ("projects", "job_templates", "workflow_job_templates")
# What an approval's own object has of what is sent to it: the rest is about its node and is dropped.
APPROVAL = ("name", "description", "timeout")

Answer = tuple[int, Any]


@dataclass
class State:
    """Objects by kind and number, the links between them, and every request that changes something."""

    playbooks: list[str]
    objects: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {kind: {} for kind in TYPES})
    links: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    surveys: dict[tuple[str, int], Any] = field(default_factory=dict)
    posted: list[tuple[str, str, Any]] = field(default_factory=list)

    def add(self, kind: str, /, **values: Any) -> dict[str, Any]:
        number = 1 + sum(map(len, self.objects.values()))
        url = f"/api/v2/{kind}/{number}/"
        related = {"survey_spec": f"{url}survey_spec/"} if kind.endswith("job_templates") else {}
        one = {"id": number, "url": url, "type": TYPES[kind], "related": related, "summary_fields": {}, **values}
        if kind == "projects":
            one["scm_revision"] = "0" * 40
            one["summary_fields"] = {"current_update": {"id": number}}
        self.objects[kind][number] = one
        return one

    def named(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.objects[kind].values() if name in (one.get("name"), one.get("identifier"))]
        return found

    def linked(self, one: Mapping[str, Any], link: str) -> list[dict[str, Any]]:
        """What a template or a node is linked to, for example the success_nodes of a node."""
        kind = next(kind for kind, name in TYPES.items() if name == one["type"])
        other = "workflow_job_template_nodes" if link.endswith("_nodes") else link
        return [self.objects[other][number] for number in self.links.get((kind, one["id"], link), [])]

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        kind, number, rest = re.fullmatch(r"/api/v2/(\w+)/(?:(\d+)/)?(?:(\w+)/)?", path).groups()  # type: ignore[union-attr]
        if method != "GET" and kind != "tokens":
            self.posted.append((method, path, body))
        if kind == "tokens":
            return (201, {"id": 1, "token": "not-a-secret"}) if method == "POST" else (204, None)
        if kind == "project_updates":
            return 200, {"status": "successful"}
        if number is None:
            return self._create(kind, body) if method == "POST" else self._list(self._matching(kind, query))
        return self._one(method, kind, int(number), rest, body)

    def _matching(self, kind: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        wanted = {key: value for key, value in query.items() if not key.startswith("or__")}
        every = (one for part in kinds for one in self.objects[part].values())
        return [one for one in every if all(str(one.get(key)) == value for key, value in wanted.items())]

    def _list(self, found: list[dict[str, Any]]) -> Answer:
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}

    def _create(self, kind: str, body: Any) -> Answer:
        if kind == "job_templates" and body["playbook"] not in self.playbooks:
            return 400, {"playbook": ["Playbook not found for project."]}
        return 201, self.add(kind, **body)

    def _one(self, method: str, kind: str, number: int, rest: Optional[str], body: Any) -> Answer:
        one = self.objects[kind][number]
        if rest is None:
            if method == "PATCH":
                one.update({key: value for key, value in body.items() if kind != "workflow_approval_templates" or key in APPROVAL})
            return 200, one
        if rest == "survey_spec":
            return self._survey(method, (kind, number), body)
        if rest == "create_approval_template":
            approval = self.add("workflow_approval_templates", **{key: body[key] for key in APPROVAL if key in body})
            one["related"]["unified_job_template"] = approval["url"]
            return 201, approval
        return self._link(method, (kind, number, rest), body)

    def _survey(self, method: str, key: tuple[str, int], body: Any) -> Answer:
        if method == "POST":
            error = awx_rules.survey_error(body)
            if error:
                return 400, {"error": error}
            self.surveys[key] = body
        return 200, self.surveys.get(key, {})

    def _link(self, method: str, key: tuple[str, int, str], body: Any) -> Answer:
        numbers = self.links.setdefault(key, [])
        if method == "GET":
            return self._list([{"id": number} for number in numbers])
        (numbers.remove if body.get("disassociate") else numbers.append)(body["id"])
        return 204, None


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on the terminal: State keeps what is worth keeping."""

    def _any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, answer = self.server.state.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), "X-API-Product-Name": "AWX"}.items():
            self.send_header(name, value)
        self.send_header("X-API-Product-Version", "24.6.1")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = _any


class _Server(ThreadingHTTPServer):
    state: State
    daemon_threads = True


@contextmanager
def controller(playbooks: list[str]) -> Iterator[tuple[str, State]]:
    """Its URL and state. `playbooks`: those that a project has after its update."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = State(playbooks)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
