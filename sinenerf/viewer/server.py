"""The HTTP server behind the page: Python's own, one thread per request, with responses from `ViewerApi`."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import gethostname
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

from sinenerf.viewer.api import JSON, ViewerApi, page_html

LARGEST_BODY = 2**29
"""Bytes of points whose distances a page may ask for."""


class Server(ThreadingHTTPServer):
    """Serves one page at one address.

    Args:
        log: receives a line for each internal error.

    Raises:
        OSError: the port is taken, or the address is not one of this machine's.
        ValueError: the port is out of range.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # else the port stays taken for a minute; on Windows two would share it

    def __init__(self, api: ViewerApi, host: str, port: int, log: Callable[[str], None]) -> None:
        self.api, self.host, self.log = api, host, log
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(
                    f"port {port} is in use, perhaps by another sinenerf view. Choose another: --port {port + 1}"
                ) from None
            raise OSError(f"cannot listen at {host}, port {port}: {error.strerror}") from None
        except OverflowError:
            raise ValueError(f"port is {port}: use 0 to 65535") from None

    @property
    def url(self) -> str:
        """Address of the page, for a browser on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        return f"http://{host}:{self.server_port}/"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        address = _ip_address(self.host)
        return self.host == "localhost" or (address is not None and address.is_loopback)

    def answers_to(self, host: str) -> bool:
        """Whether a request may name this host.

        Scripts of another site could read the files if its name were made to resolve to this machine (DNS rebinding).
        """
        machine = gethostname().lower()
        names = ("localhost", self.host.lower(), machine, f"{machine}.local")
        return host in names or _ip_address(host) is not None

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore browsers that disconnect in the middle of a response."""


@contextmanager
def serving(api: ViewerApi, host: str, port: int, log: Callable[[str], None]) -> Iterator[Server]:
    """Serve in a thread of its own within the block.

    Raises:
        OSError, ValueError: as `Server`.
    """
    with Server(api, host, port, log) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


class Handler(BaseHTTPRequestHandler):
    """Handles requests. The body of one is only read once nothing speaks against answering it."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        length = self.headers.get("Content-Length", "0")
        if not self.server.answers_to(urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""):
            self._refuse(403, "this page is only served under its machine's IP address or name, or that of --host")
        elif self.command == "GET" and address.path == "/":
            self._send(200, "text/html; charset=utf-8", page_html().encode())
        elif self.headers.get("Sec-Fetch-Site") == "cross-site":
            # another site's page could not read the response, but would keep the processor busy
            self._refuse(403, "only this page's own scripts may send requests")
        elif address.path not in self.server.api.routes:
            self._refuse(404, "not found")
        elif not (length.isdecimal() and int(length) <= LARGEST_BODY):
            self._refuse(413, "a request's body has at most half a gigabyte")
        else:
            self._respond(address.path, dict(parse_qsl(address.query)), self.rfile.read(int(length)))

    do_POST = do_GET

    def _respond(self, path: str, query: dict[str, str], sent: bytes) -> None:
        try:
            content_type, body = self.server.api.routes[path](query, sent)
        except (ValueError, OSError, RuntimeError) as error:
            self._send(400, JSON, json.dumps({"error": str(error)}).encode())
        except Exception as error:  # a bug, or out of memory: page and terminal report it, and the server lives on
            message = " ".join(f"{type(error).__name__}: {error}".split())
            self.server.log(f"{path}: {message}")
            self._send(500, JSON, json.dumps({"error": f"the server failed: {message}"}).encode())
        else:
            self._send(200, content_type, body)

    def _refuse(self, status: int, why: str) -> None:
        self.close_connection = True  # a body is left unread
        self._send(status, "text/plain", f"{why}\n".encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests."""
