"""The HTTP server: what it serves and refuses, and its port."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from sinenerf.common.console import say
from sinenerf.viewer.launch import open_api
from sinenerf.viewer.server import Server, serving


@pytest.fixture
def server(shape):
    with serving(open_api([shape[0]]), "127.0.0.1", 0, log=say) as server:
        yield server


def test_requests_are_served_or_refused(server):
    def status(path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(server.url + path, headers=named)
        try:
            return urllib.request.urlopen(request).status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert status("")[0] == status("state")[0] == status("file?asset=0")[0] == 200
    assert status("nowhere")[0] == 404
    assert status("file?asset=7")[0] == 400 and "is not a mesh" in status("mesh?asset=0")[1]
    assert status("state", Host="evil.example")[0] == 403  # a name that was made to resolve to this machine
    assert status("state", Sec_Fetch_Site="cross-site") == (403, "only this page's own scripts may send requests\n")
    assert status("state", Sec_Fetch_Site="same-origin")[0] == status("", Sec_Fetch_Site="cross-site")[0] == 200
    assert status("../../etc/passwd")[0] == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_page_is_served_under_names_of_this_machine_only(host, shape):
    """With another host than 127.0.0.1, other sites' names that resolve to this machine were not refused."""

    def status(name):
        request = urllib.request.Request(server.url + "state", headers={"Host": name})
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            return error.code

    with serving(open_api([shape[0]]), host, 0, log=say) as server:
        assert status("evil.example") == status(f"{socket.gethostname()}.evil.example") == 403
        own = ["192.168.1.5:7008", "[::1]:7008", "localhost", socket.gethostname(), f"{socket.gethostname()}.local"]
        assert [status(name) for name in own] == [200] * 5


@pytest.mark.parametrize("header", ["Host: evil.example", "Host: localhost\r\nSec-Fetch-Site: cross-site"])
def test_a_refused_body_is_not_waited_for(header, server):
    """It was read into memory, half a gigabyte of it, before anyone looked at where it came from."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as site:
        site.sendall(f"POST /distances HTTP/1.1\r\n{header}\r\nContent-Length: 500000000\r\n\r\n".encode())
        assert site.recv(4096).startswith(b"HTTP/1.1 403")
        while site.recv(4096):  # until the server closes the connection
            pass


@pytest.mark.parametrize("error", [KeyError("rank"), MemoryError("of\na mesh")])
def test_an_internal_error_is_reported_by_page_and_terminal_and_survived(error, server, capsys):
    def fail(query, body):
        raise error

    server.api.routes["/jobs"] = fail
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(server.url + "jobs")
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    assert caught.value.code == 500 and json.load(caught.value) == {"error": f"the server failed: {message}"}
    assert capsys.readouterr().err == f"sinenerf: /jobs: {message}\n"
    assert urllib.request.urlopen(server.url + "state").status == 200


def test_a_port_is_free_again_at_once(shape):
    """Although the last browser's connection has not timed out yet."""
    with (
        serving(open_api([shape[0]]), "127.0.0.1", 0, log=say) as server,
        socket.create_connection(("127.0.0.1", server.server_port)) as browser,
    ):
        browser.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while browser.recv(4096):
            pass
    Server(open_api([shape[0]]), "127.0.0.1", server.server_port, log=say).server_close()


def test_a_body_reaches_its_route_unless_it_is_too_large(server):
    server.api.routes["/echo"] = lambda query, body: ("text/plain", body[::-1])
    request = urllib.request.Request(server.url + "echo", b"points")
    assert urllib.request.urlopen(request).read() == b"stniop"
    request = urllib.request.Request(server.url + "echo", b"points", {"Content-Length": str(2**40)})
    with pytest.raises(urllib.error.HTTPError, match="413"):
        urllib.request.urlopen(request)


def test_a_taken_port_is_an_error(server, shape):
    with pytest.raises(OSError, match=f"port {server.server_port} is in use"):
        Server(open_api([shape[0]]), "127.0.0.1", server.server_port, log=say)
