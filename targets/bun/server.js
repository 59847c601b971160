// An echo server as Bun's documentation of WebSockets shows it, with finwait's
// control contract (docs/contract.md).
const events = new Map();
const sockets = new Set();
const commands = {
  hello: (socket) => socket.send('finwait:v1 close terminate fill kick-all events'),
  close: (socket, code, ...reason) => (code ? socket.close(Number(code), reason.join(' ')) : socket.close()),
  terminate: (socket) => socket.terminate(),
  fill: (socket, n) => {
    for (let left = Number(n); left > 0; left -= 65536) socket.send('f'.repeat(Math.min(left, 65536)));
  },
  'kick-all': (_, ...close) => sockets.forEach((socket) => commands.close(socket, ...close)),
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

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
  fetch(request, server) {
    const query = new URL(request.url).searchParams;
    const own = [];
    if (query.has('finwait')) events.set(query.get('finwait'), own);
    if (server.upgrade(request, { data: { own, open: query.get('finwait-open') } })) return;
    return new Response('a WebSocket server', { status: 426 });
  },
  websocket: {
    open(socket) {
      sockets.add(socket);
      if (socket.data.open === null) return;
      socket.send('finwait:opened');
      obey(socket, socket.data.open);
    },
    message(socket, data) {
      if (typeof data === 'string' && data.startsWith('finwait:')) obey(socket, data.slice('finwait:'.length));
      else socket.send(data);
    },
    close(socket, code, reason) {
      sockets.delete(socket);
      socket.data.own.push({ code, reason, clean: null, at: new Date().toISOString() });
    },
  },
});
console.log(`listening 127.0.0.1:${server.port}`);
