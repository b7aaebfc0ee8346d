"""Folders that are made once for all processes of pytest-xdist."""

import fcntl
import os
import shutil


def shared_folder(tmp_path_factory, name, make):
    """A folder that `make` has filled: the first process that asks for it calls `make`, and the others wait."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / name
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder.with_name(f"{name}.made")
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a call that failed has left: this one shows why it failed
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
