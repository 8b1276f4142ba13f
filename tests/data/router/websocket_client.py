"""A client of `websocket_server.py` behind the router on this port. It prints what it sees."""

import os
import socket
import sys
import threading

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

PORT = sys.argv[1]


def client(path='/', **options):
    # Not every resolver knows the name.
    options['sock'] = socket.create_connection(('127.0.0.1', int(PORT)))
    return connect(f'ws://app.localhost:{PORT}{path}', max_size=1 << 24, ping_interval=None, **options)


def closed(connection):
    """How the connection ends."""
    try:
        while True:
            connection.recv(60)
    except ConnectionClosed as end:
        return f'{end.rcvd.code} {end.rcvd.reason}' if end.rcvd else 'without a close frame'


def after(data):
    """How the server closes after it has got these bytes, in frames that the library would not send."""
    with client(compression=None) as connection:
        connection.socket.sendall(data)
        return closed(connection)


def frame(first, payload, mask=True, length=None):
    length = len(payload) if length is None else length
    assert length < 126
    return bytes([first, 0x80 * mask | length]) + (b'\0\0\0\0' if mask else b'') + payload


def echoes(connection, message):
    connection.send(message)
    return connection.recv(60) == message


for compression in ['deflate', None]:
    with client(compression=compression) as connection:
        print(f'{compression}: {[extension.name for extension in connection.protocol.extensions]}')
        messages = ['', 'x', 'gr\u00fc\u00df \U0001f600', b'', b'\0\xff', 'y' * 125, 'y' * 126, 'y' * 65535, 'y' * 65536]
        messages += [os.urandom(1 << 20), 'z' * (1 << 20), os.urandom(8 << 20)]
        print('echo:', all(echoes(connection, message) for message in messages))
        connection.send(iter([b'a' * 70000, b'', b'b' * 70000]))
        print('sent in fragments:', connection.recv(60) == b'a' * 70000 + b'b' * 70000)
        connection.send('fragments')
        print('got in fragments:', list(connection.recv_streaming()))
        print('ping:', connection.ping(b'p' * 125).wait(60))
        print('ping of the server:', echoes(connection, 'before') and (connection.send('ping me'), connection.recv(60))[1])

with client(compression=None) as connection:
    sender = threading.Thread(target=lambda: [connection.send(f'{number} ' + 'm' * 1000) for number in range(5000)])
    sender.start()
    numbers = [int(connection.recv(60).split()[0]) for _ in range(5000)]
    sender.join()
    print('5,000 messages in order:', numbers == list(range(5000)))

with client('/headers', origin='http://shop.example', additional_headers={'X-Forwarded-For': '9.9.9.9'}) as connection:
    print(connection.recv(60))
with client(subprotocols=['chat.v1', 'chat.v2']) as connection:
    print('subprotocol:', connection.subprotocol)
try:
    client('/refused')
except InvalidStatus as refused:
    print('refused:', refused.response.status_code, len(refused.response.body))

for code, reason in [(1000, ''), (1001, 'going away'), (1011, 'r' * 123), (3000, 'x'), (4999, 'gr\u00fcn')]:
    with client() as connection:
        connection.send(f'close {code} {reason}')
        print('closed by the server:', closed(connection))
    with client() as connection:
        connection.close(code, reason)
        print('closed by the client:', connection.protocol.close_code, connection.protocol.close_reason)

print('unmasked:', after(frame(0x81, b'x', mask=False)))
print('reserved bit:', after(frame(0xf1, b'x')))
print('unknown opcode:', after(frame(0x83, b'x')))
print('fragmented ping:', after(frame(0x09, b'x')))
print('continuation of nothing:', after(frame(0x80, b'x')))
print('text that is not UTF-8:', after(frame(0x81, b'\xff')))
print('close with one byte:', after(frame(0x88, b'x')))
print('too long:', after(bytes([0x82, 0xff]) + (1 << 25).to_bytes(8, 'big') + b'\0\0\0\0'))
with client() as connection:
    connection.socket.close()
with client() as connection:
    connection.send('die')
    print('the server dies:', closed(connection))
