"""What Python reads of a request: told as JSON, for judged.py. reader.py SOCKET"""
import base64
import http.server
import json
import socketserver
import sys
import urllib.parse


def refuse(name):
    raise ValueError(name)


def members(text):
    if not text:
        return None
    try:
        read = json.loads(text, parse_constant=refuse, parse_int=str, parse_float=str)
        numbers = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return 'no json'
    if not isinstance(numbers, dict):
        return 'no object'
    told = {}
    if 'model' in numbers:
        told['model'] = numbers['model']
    options = numbers.get('options')
    if isinstance(options, dict) and 'n' in options:
        told['n'] = options['n']
    return told


class Reader(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1

    def tell(self):
        text = self.rfile.read(int(self.headers.get('content-length', '0')))
        path = urllib.parse.urlsplit('http://x' + self.path)
        query = {}
        for name, value in urllib.parse.parse_qsl(path.query, keep_blank_values=True):
            if name.lower() == 'admin':
                query.setdefault(name, []).append(value)
        headers = {name: base64.b64encode(self.headers[name].encode('latin-1')).decode() for name in ('x-role', 'accept', 'cookie') if name in self.headers}
        told = json.dumps({'case': self.headers.get('x-case'), 'method': self.command, 'path': base64.b64encode(path.path.encode('latin-1')).decode(),
                           'query': query, 'headers': headers, 'json': members(text), 'bytes': len(text)}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(told)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(told)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = tell

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ('', 0)


if __name__ == '__main__':
    server = Server(sys.argv[1], Reader)
    print('ready', flush=True)
    server.serve_forever()
