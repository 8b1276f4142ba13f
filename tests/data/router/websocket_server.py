"""Sends back what it gets. Some texts are orders, and some paths are refused before the protocol changes."""

import http
import os

from websockets.sync.server import serve


def session(connection):
    path = connection.request.path
    if path == '/headers':
        names = ['Host', 'Origin', 'Connection', 'Upgrade', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'Via']
        connection.send('\n'.join(f'{name}: {connection.request.headers.get(name)}' for name in names))
    for message in connection:
        if message == 'ping me':
            pong = connection.ping(b'are you there')
            connection.send('pong' if pong.wait(60) else 'no pong')
        elif message == 'fragments':
            connection.send(iter(['one ', 'two ', '', 'three']))
        elif isinstance(message, str) and message.startswith('close '):
            _, code, reason = message.split(' ', 2)
            connection.close(int(code), reason)
        elif message == 'die':
            os._exit(3)
        else:
            connection.send(message)


def refuse(connection, request):
    if request.path == '/refused':
        return connection.respond(http.HTTPStatus.FORBIDDEN, 'x' * 20000)
    return None


def chosen(connection, offered):
    return 'chat.v2' if 'chat.v2' in offered else None


serve(session, '127.0.0.1', int(os.environ['PORT']), subprotocols=['chat.v2'], select_subprotocol=chosen,
      process_request=refuse, max_size=1 << 24, ping_interval=None).serve_forever()
