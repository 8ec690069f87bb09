# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kube-proxy answers on 127.0.0.1:10249: mode, version, configuration.

One process serves all nodes of a lab: each of its listening sockets was opened in another node's namespace.
"""

from __future__ import annotations

import io
import json
import os
import selectors
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

from . import scenarios, state
from .errors import LabError
from .holder import disturbable
from .namespaces import network_of
from .rules_kube_proxy import KubeProxy
from .state import State

PORT = 10249


def answer(proxy: KubeProxy, path: str) -> str:
    """The body for a path; empty for one that kube-proxy does not serve."""
    if path == "/proxyMode":
        return proxy.mode
    if path == "/healthz":
        return "ok"
    if path == "/metrics":
        return 'kubernetes_build_info{git_version="v%s",platform="linux/amd64"} 1\n' % proxy.version
    if path == "/configz":
        tables = {"masqueradeBit": proxy.masquerade_bit, "masqueradeAll": proxy.masquerade_all, "syncPeriod": "30s"}
        config = {"clusterCIDR": proxy.cluster_cidr or "", "mode": proxy.mode, "iptables": tables}
        if proxy.mode == "nftables":
            config["nftables"] = tables
        return json.dumps({"kubeproxy.config.k8s.io": config})
    return ""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request for the node whose KubeProxy is `server`."""

    timeout = 2

    def do_GET(self) -> None:
        body = answer(self.server, self.path).encode()  # type: ignore[arg-type]
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


def start(lab: State) -> int:
    """Start it and wait until every node answers; returns the pid."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, lab.name, lab.marker + "kube-proxy-api"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=disturbable,
        cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    )
    with process.stdout or io.BytesIO() as ready:
        if ready.readline() != b"ready\n":
            raise LabError("the stand-in for kube-proxy's port %d did not start" % PORT)
    pid = process.pid
    process.returncode = 0  # it stays: no warning when the object goes
    return pid


def serve(lab: State) -> None:
    selector = selectors.DefaultSelector()
    for name in lab.scenario_nodes():
        node = lab.nodes[name]
        with network_of(lab.pid(name)):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", PORT))
        listener.listen(16)
        selector.register(listener, selectors.EVENT_READ, scenarios.get(node["scenario"]).configured_proxy)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for key, _seen in selector.select():
            listener = key.fileobj  # type: ignore[assignment]
            channel, address = listener.accept()
            with channel:
                try:
                    _Handler(channel, address, key.data)
                except OSError:
                    pass  # the client went away


if __name__ == "__main__":
    serve(state.require(sys.argv[1]))
