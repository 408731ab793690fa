// What Node reads of a request: told as JSON, for judged.py. reader.mjs SOCKET
import http from 'node:http';

const names = ['x-role', 'accept', 'cookie'];

function parameters(url) {
  const found = {};
  for (const [name, value] of url.searchParams) {
    if (name.toLowerCase() === 'admin') (found[name] ??= []).push(value);
  }
  return found;
}

// What an application has of a member: absent, or its value.
function members(body) {
  if (body.length === 0) return undefined;
  let json;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return 'no json';
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return 'no object';
  const options = json.options;
  const has_options = options !== null && typeof options === 'object' && !Array.isArray(options);
  return { model: json.model, n: has_options ? options.n : undefined };
}

const server = http.createServer({ maxHeaderSize: 1 << 20, requireHostHeader: true }, (request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const url = new URL(request.url === '*' ? '/*' : 'http://x' + request.url);
    const headers = Object.fromEntries(names.filter((name) => name in request.headers).map((name) => [name, Buffer.from(request.headers[name], 'latin1').toString('base64')]));
    const told = JSON.stringify({
      case: request.headers['x-case'],
      method: request.method,
      path: Buffer.from(url.pathname, 'latin1').toString('base64'),
      query: parameters(url),
      headers,
      json: members(Buffer.concat(pieces)),
      bytes: Buffer.concat(pieces).length,
    });
    response.setHeader('Content-Length', Buffer.byteLength(told));
    response.end(request.method === 'HEAD' ? '' : told);
    if (request.method === 'HEAD') process.stdout.write(told + '\n');
  });
});
server.maxRequestsPerSocket = 0;
server.keepAliveTimeout = 60000;
server.listen(process.argv[2], () => process.stdout.write('ready\n'));
