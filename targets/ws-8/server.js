// An echo server as the README of ws shows it, with finwait's control contract
// (docs/contract.md).
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { WebSocketServer } from 'ws';

const events = new Map();
const commands = {
  hello: (socket) => socket.send('finwait:v1 close terminate fill kick-all events'),
  close: (socket, code, ...reason) => (code ? socket.close(Number(code), reason.join(' ')) : socket.close()),
  terminate: (socket) => socket.terminate(),
  fill: (socket, n) => {
    for (let left = Number(n); left > 0; left -= 65536) socket.send('f'.repeat(Math.min(left, 65536)));
  },
  'kick-all': (_, ...close) => server.clients.forEach((client) => commands.close(client, ...close)),
  events: (socket, token) => socket.send(JSON.stringify(events.get(token) ?? [])),
};

function obey(socket, line) {
  const [name, ...args] = line.split(' ');
  try {
    commands[name]?.(socket, ...args);
  } catch (error) {
    console.error(error); // such as a close code that the library refuses
  }
}

const host = '127.0.0.1';
const port = Number(process.env.PORT);
const [, , shutdown, cert, key] = process.argv;
const options = cert
  ? { server: createServer({ cert: readFileSync(cert), key: readFileSync(key) }).listen(port, host) }
  : { host, port };
const server = new WebSocketServer(options);
server.on('listening', () => console.log(`listening ${host}:${port}`));

server.on('connection', (socket, request) => {
  const query = new URL(request.url, 'ws://localhost').searchParams;
  const own = [];
  if (query.has('finwait')) events.set(query.get('finwait'), own);

  socket.on('error', console.error);
  socket.on('close', (code, reason) => own.push({ code, reason: reason.toString(), clean: null, at: new Date().toISOString() }));
  socket.on('message', (data, isBinary) => {
    const text = isBinary ? '' : data.toString();
    if (text.startsWith('finwait:')) obey(socket, text.slice('finwait:'.length));
    else socket.send(data, { binary: isBinary });
  });

  if (query.has('finwait-open')) {
    socket.send('finwait:opened');
    obey(socket, query.get('finwait-open'));
  }
});

// What the process does when it is asked to stop: without an argument it ends
// as it is.
const closeAll = () => server.clients.forEach((client) => client.close(1001));
const terminateAll = () => server.clients.forEach((client) => client.terminate());
const shutdowns = {
  wait: () => {}, // for the last of them
  hard: () => setImmediate(terminateAll),
  soft: () => setTimeout(terminateAll, 10_000).unref(),
};
const rest = shutdowns[shutdown];
if (rest) {
  process.once('SIGTERM', () => {
    server.close();
    closeAll();
    rest();
  });
}
