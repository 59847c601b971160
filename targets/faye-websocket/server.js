// An echo server as the README of faye-websocket shows it, with finwait's
// control contract (docs/contract.md). The library has no hard kill.
import http from 'node:http';
import WebSocket from 'faye-websocket';

const clients = new Set();
const events = new Map();
const commands = {
  hello: (ws) => ws.send('finwait:v1 close fill kick-all events'),
  close: (ws, code, ...reason) => (code ? ws.close(Number(code), reason.join(' ')) : ws.close()),
  fill: (ws, n) => {
    for (let left = Number(n); left > 0; left -= 65536) ws.send('f'.repeat(Math.min(left, 65536)));
  },
  'kick-all': (_, ...close) => clients.forEach((client) => commands.close(client, ...close)),
  events: (ws, token) => ws.send(JSON.stringify(events.get(token) ?? [])),
};

function obey(ws, line) {
  const [name, ...args] = line.split(' ');
  try {
    commands[name]?.(ws, ...args);
  } catch (error) {
    console.error(error); // such as a close code that the library refuses
  }
}

const port = Number(process.env.PORT);
const server = http.createServer();
server.on('upgrade', (request, socket, body) => {
  if (!WebSocket.isWebSocket(request)) return;
  const query = new URL(request.url, 'ws://localhost').searchParams;
  const own = [];
  if (query.has('finwait')) events.set(query.get('finwait'), own);

  const ws = new WebSocket(request, socket, body);
  clients.add(ws);
  ws.on('error', (event) => console.error(event.message));
  ws.on('close', ({ code, reason }) => {
    clients.delete(ws);
    own.push({ code, reason, clean: null, at: new Date().toISOString() });
  });
  ws.on('message', ({ data }) => {
    if (typeof data === 'string' && data.startsWith('finwait:')) obey(ws, data.slice('finwait:'.length));
    else ws.send(data);
  });

  ws.on('open', () => {
    if (!query.has('finwait-open')) return;
    ws.send('finwait:opened');
    obey(ws, query.get('finwait-open'));
  });
});
server.listen(port, '127.0.0.1', () => console.log(`listening 127.0.0.1:${port}`));
