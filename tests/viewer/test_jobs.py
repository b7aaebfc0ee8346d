"""The status of running jobs, and superseded requests."""

import pytest

from sinenerf.viewer.jobs import MAX_CLIENTS, Jobs, LatestRequests, Superseded


def test_a_newer_request_supersedes_an_older_one():
    requests = LatestRequests()
    first = requests.register("page", 1)
    first()
    other = requests.register("other page", 1)
    second = requests.register("page", 2)
    with pytest.raises(Superseded):
        first()
    second(), other()
    with pytest.raises(Superseded):
        requests.register("page", 1)()  # arrives late


def test_the_oldest_clients_are_forgotten():
    requests = LatestRequests()
    first = requests.register("first", 1)
    for number in range(2 * MAX_CLIENTS):
        requests.register(f"page {number}", 1)
    assert len(requests._newest) == MAX_CLIENTS
    first()


def test_running_jobs_are_listed():
    jobs = Jobs()
    with jobs.running("meshing") as update:
        update("12 points")
        assert jobs.status() == ["meshing: 12 points"]
    assert jobs.status() == []
