"""Does what the client of Vite does in a browser, behind the router on this port, and prints what it sees."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PORT = sys.argv[1]
HOST = f'app.localhost:{PORT}'


def get(path, accept='*/*'):
    request = urllib.request.Request(f'http://127.0.0.1:{PORT}{path}', headers={'Host': HOST, 'Accept': accept})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ''


def opened(subprotocol):
    """As the client connects to the server that it came from. The token is in the client."""
    token = re.search('wsToken = "([^"]*)"', get('/@vite/client')[1])[1]
    sock = socket.create_connection(('127.0.0.1', int(PORT)))
    return connect(f'ws://{HOST}/?token={token}', subprotocols=[subprotocol], origin=f'http://{HOST}', sock=sock)


def update(connection):
    """Changes a module until the client is asked to load it again."""
    number = 0
    while True:
        number += 1
        with open('word.js', 'w') as file:
            file.write(f"export const word = '{number}'\n")
        try:
            message = json.loads(connection.recv(2))
        except TimeoutError:
            continue
        return message['type'], [(found['path'], found['acceptedPath']) for found in message.get('updates', [])]


def load():
    """What a browser loads, so that Vite knows the modules."""
    status, page = get('/', 'text/html')
    print('page:', status, '/@vite/client' in page, [get(path)[0] for path in ('/main.js', '/word.js')])


load()
with opened('vite-hmr') as connection:
    print(connection.recv(60))
    print(*update(connection))

    seen, is_over = set(), threading.Event()

    def clients():
        while not is_over.is_set():
            try:
                seen.add(get('/main.js')[0])
            except OSError as error:
                seen.add(str(error))

    threads = [threading.Thread(target=clients) for _ in range(2)]
    for thread in threads:
        thread.start()
    subprocess.run([os.environ['DYNO'], 'restart', 'web'], check=True, stdout=subprocess.DEVNULL)
    try:
        while True:
            connection.recv(60)
    except ConnectionClosed as end:
        print('restarting: the socket is closed,', 'with' if end.rcvd else 'without', 'a close frame')
# The client now asks with this protocol whether the server is back, and then loads the page again.
with opened('vite-ping') as ping:
    print('ping:', ping.subprotocol)
load()
is_over.set()
for thread in threads:
    thread.join()
print('answers during the restart:', seen)
with opened('vite-hmr') as connection:
    print(connection.recv(60))
    print(*update(connection))
