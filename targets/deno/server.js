// An echo server as Deno's documentation of HTTP servers shows it, with finwait's
// control contract (docs/contract.md).
const events = new Map();
const sockets = new Set();
const commands = {
  hello: (socket) => socket.send('finwait:v1 close fill kick-all events'),
  close: (socket, code, ...reason) => (code ? socket.close(Number(code), reason.join(' ')) : socket.close()),
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
    console.error(error.message); // such as a close code that the library refuses
  }
}

function serve(request) {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') return new Response('a WebSocket server', { status: 426 });
  const query = new URL(request.url).searchParams;
  const own = [];
  if (query.has('finwait')) events.set(query.get('finwait'), own);
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    sockets.add(socket);
    if (!query.has('finwait-open')) return;
    socket.send('finwait:opened');
    obey(socket, query.get('finwait-open'));
  };
  socket.onerror = (event) => console.error(event.message);
  socket.onclose = ({ code, reason, wasClean }) => {
    sockets.delete(socket);
    own.push({ code, reason, clean: wasClean, at: new Date().toISOString() });
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string' && data.startsWith('finwait:')) obey(socket, data.slice('finwait:'.length));
    else socket.send(data);
  };
  return response;
}

const port = Number(Deno.env.get('PORT'));
Deno.serve({ hostname: '127.0.0.1', port, onListen: () => console.log(`listening 127.0.0.1:${port}`) }, serve);
