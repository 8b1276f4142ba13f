"""Shared by the stand-ins: listen, fork workers, and exit on SIGTERM like the real programs."""

import os
import signal
import socket
import sys

# Blocked until `wait_for_term`, so that an early SIGTERM is not lost.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def say(text):
    """Writes a line to stdout in one write."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text):
    """Writes a line to stderr in one write."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def listen(port):
    """Returns a listening socket."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen()
    return listener


def fork_workers(count):
    """Forks workers that run until SIGTERM; returns their process ids."""
    workers = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            wait_for_term()
            os._exit(0)
        workers.append(pid)
    return workers


def wait_for_term():
    """Waits for SIGTERM."""
    signal.sigwait({signal.SIGTERM})


def reap(workers):
    """Waits until the workers, which got the same signal, have exited."""
    for worker in workers:
        os.waitpid(worker, 0)


def die_by(number):
    """Dies by the signal, like a Ruby program that was stopped by it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def option(name, default=None):
    """Returns the value of an option, written as `NAME VALUE` or `NAME=VALUE`."""
    for at, word in enumerate(sys.argv):
        if word == name:
            return sys.argv[at + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return default
