"""Stream applications: called with the socket of a connection and the peer's address."""

import os
import socket
import threading

pid = os.getpid()  # of the prototype: this is loaded once


def echo(connection, address):
    """What comes, until the client is done."""
    while piece := connection.recv(65536):
        connection.sendall(piece)


def who(connection, address):
    """One line for each line: what the application knows of the client and of itself."""
    with connection.makefile("rw") as lines:
        for line in lines:
            said = {
                "address": repr(address),
                "pid": str(os.getpid()),
                "prototype": str(pid),
                "thread": str(threading.get_ident()),
                "main": str(threading.current_thread() is threading.main_thread()),
                "timeout": str(connection.gettimeout()),
                "environment": os.environ.get("N", "none"),
                "family": connection.family.name,
            }.get(line.strip(), line.strip())
            if line.strip() == "fds":
                said = str(sum(os.readlink(fd.path).startswith("socket:") for fd in os.scandir("/proc/self/fd")))
            if line.strip() == "exit":
                raise SystemExit(3)
            if line.strip() == "fail":
                raise RuntimeError("on purpose")
            if line.strip() == "die":
                os.kill(os.getpid(), 9)
            lines.write(said + "\n")
            lines.flush()


def kept(connection, address):
    """Lets another thread go on with the connection."""
    mine = socket.socket(fileno=connection.detach())
    threading.Thread(target=lambda: (echo(mine, address), mine.close())).start()


async def wrong(connection, address):
    pass


number = 7
