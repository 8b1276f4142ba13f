"""What the stand-ins share: listen, fork workers, serve, and end on SIGTERM the way their models do."""

import os
import signal
import socket
import sys

# Held back until somebody waits for it, so that none comes too early.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def say(text):
    """A line on stdout, in one write."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text):
    """A line on stderr, in one write."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def listen(port):
    """An open socket, as a server has it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen()
    return listener


def fork_workers(count):
    """Forks workers that live until they are told to end; returns their process ids."""
    workers = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            wait_for_term()
            os._exit(0)
        workers.append(pid)
    return workers


def wait_for_term():
    """Returns when SIGTERM comes."""
    signal.sigwait({signal.SIGTERM})


def reap(workers):
    """Waits for workers that got the same signal."""
    for worker in workers:
        os.waitpid(worker, 0)


def die_by(number):
    """Ends as a Ruby program does that was asked to by a signal."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def option(name, default=None):
    """The word after an option on the command line, or after its `=`."""
    for at, word in enumerate(sys.argv):
        if word == name:
            return sys.argv[at + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return default
