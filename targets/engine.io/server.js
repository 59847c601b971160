// An echo server as the README of engine.io shows it, with finwait's control
// contract (docs/contract.md).
import { createServer } from 'node:http';
import { attach } from 'engine.io';
import { WebSocket, WebSocketServer } from 'ws';

// A peer of finwait's speaks no engine.io packets, so they are put around its
// messages here, between ws and engine.io: 4 is a message, 2 and 3 are the
// heartbeat, whose part Ping and Pong frames take. How a connection ends is
// left to engine.io.
class Bare extends WebSocket {
  emit(event, data, isBinary) {
    if (event === 'pong') return super.emit('message', Buffer.from('3'), false);
    if (event === 'message' && !isBinary) return super.emit(event, Buffer.concat([Buffer.from('4'), data]), false);
    return super.emit(...arguments);
  }

  send(packet, sent) {
    if (typeof packet !== 'string') super.send(packet, sent);
    else if (packet[0] === '4') super.send(packet.slice(1), sent);
    else if (packet[0] === '2') this.ping('', false, sent);
    else process.nextTick(sent); // the handshake, which only its own client waits for
  }
}

class BareServer extends WebSocketServer {
  constructor(options) {
    super({ ...options, WebSocket: Bare });
  }
}

const events = new Map();
const commands = {
  hello: (socket) => socket.send('finwait:v1 close fill kick-all events'),
  close: (socket) => socket.close(), // it takes no code and no reason
  fill: (socket, n) => {
    for (let left = Number(n); left > 0; left -= 65536) socket.send('f'.repeat(Math.min(left, 65536)));
  },
  'kick-all': () => Object.values(server.clients).forEach((client) => client.close()),
  events: (socket, token) => socket.send(JSON.stringify(events.get(token) ?? [])),
};

function obey(socket, line) {
  const [name, ...args] = line.split(' ');
  commands[name]?.(socket, ...args);
}

const port = Number(process.env.PORT);
const http = createServer();
const server = attach(http, { transports: ['websocket'], wsEngine: BareServer });

server.on('connection', (socket) => {
  const query = new URL(socket.request.url, 'ws://localhost').searchParams;
  const own = [];
  if (query.has('finwait')) events.set(query.get('finwait'), own);

  socket.on('close', (reason) => own.push({ code: null, reason: null, clean: null, at: new Date().toISOString(), error: reason }));
  socket.on('message', (data = '') => {
    if (typeof data === 'string' && data.startsWith('finwait:')) obey(socket, data.slice('finwait:'.length));
    else socket.send(data);
  });

  if (query.has('finwait-open')) {
    socket.send('finwait:opened');
    obey(socket, query.get('finwait-open'));
  }
});

http.listen(port, '127.0.0.1', () => console.log(`listening 127.0.0.1:${port}`));
