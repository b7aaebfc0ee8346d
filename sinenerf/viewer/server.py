"""The server behind the page: Python's own, one thread a request, each answer from `Answers`."""

import errno
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from sinenerf.common.console import say
from sinenerf.viewer.api import JSON, Answers, page
from sinenerf.viewer.jobs import Stale


class Server(ThreadingHTTPServer):
    """Answers on one address.

    Raises:
        OSError: the address is taken, or not of this machine.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # else the port stays taken for a minute; on Windows two would share it

    def __init__(self, answers: Answers, host: str, port: int) -> None:
        self.answers, self.host = answers, host
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(
                    f"port {port} is in use, perhaps by another sinenerf view. Give another: --port {port + 1}"
                ) from None
            raise OSError(f"cannot listen at {host}, port {port}: {error.strerror}") from None
        except OverflowError:
            raise ValueError(f"port {port}: ports run from 0 to 65535") from None

    @property
    def url(self) -> str:
        """Address of the page, for a browser of this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        return f"http://{host}:{self.server_port}/"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves in the middle of an answer is no error."""


def is_loopback(host: str) -> bool:
    """Whether an address, or localhost, is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Handler(BaseHTTPRequestHandler):
    """GET alone."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if self.server.is_local and not is_loopback(host):
            # another site's name that was made to point here, so that its scripts might read what is shown
            self._send(403, "text/plain", b"this page is only shown under its own address\n")
        elif address.path == "/":
            self._send(200, "text/html; charset=utf-8", page().encode())
        elif self.headers.get("Sec-Fetch-Site") == "cross-site":
            # another site's page: it could not read an answer, but would keep the processor busy with it
            self._send(403, "text/plain", b"answers are for this page's own scripts\n")
        elif address.path in self.server.answers.routes:
            self._answer(address.path, dict(parse_qsl(address.query)))
        else:
            self._send(404, "text/plain", b"nothing here\n")

    def _answer(self, path: str, query: dict[str, str]) -> None:
        try:
            kind, body = self.server.answers.routes[path](query)
        except Stale:
            self._send(204, JSON, b"")  # of no interest any more, and no error
        except (ValueError, OSError, RuntimeError) as error:
            self._send(400, JSON, json.dumps({"error": str(error)}).encode())
        except Exception as error:  # of ours, or no memory: the page and the terminal say so, and the server lives on
            said = " ".join(f"{type(error).__name__}: {error}".split())
            say(f"{path}: {said}")
            self._send(500, JSON, json.dumps({"error": f"the server failed: {said}"}).encode())
        else:
            self._send(200, kind, body)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The terminal stays quiet."""
