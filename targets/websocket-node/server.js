// An echo server as the README of websocket shows it, with finwait's control
// contract (docs/contract.md).
const http = require('node:http');
const { server: WebSocketServer } = require('websocket');

const events = new Map();
const commands = {
  hello: (connection) => connection.sendUTF('finwait:v1 close terminate fill kick-all events'),
  close: (connection, code, ...reason) => (code ? connection.close(Number(code), reason.join(' ')) : connection.close()),
  terminate: (connection) => connection.socket.destroy(), // drop() would wait for what is still to be written
  fill: (connection, n) => {
    for (let left = Number(n); left > 0; left -= 65536) connection.sendUTF('f'.repeat(Math.min(left, 65536)));
  },
  'kick-all': (_, ...close) => [...server.connections].forEach((connection) => commands.close(connection, ...close)),
  events: (connection, token) => connection.sendUTF(JSON.stringify(events.get(token) ?? [])),
};

function obey(connection, line) {
  const [name, ...args] = line.split(' ');
  try {
    commands[name]?.(connection, ...args);
  } catch (error) {
    console.error(error); // such as a close code that the library refuses
  }
}

const port = Number(process.env.PORT);
const httpServer = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
httpServer.listen(port, '127.0.0.1', () => console.log(`listening 127.0.0.1:${port}`));

const server = new WebSocketServer({ httpServer, autoAcceptConnections: false });
server.on('request', (request) => {
  const { finwait, 'finwait-open': open } = request.resourceURL.query;
  const own = [];
  if (finwait) events.set(finwait, own);

  const connection = request.accept(null, request.origin);
  connection.on('error', console.error);
  connection.on('close', (code, reason) => own.push({ code, reason, clean: null, at: new Date().toISOString() }));
  connection.on('message', (message) => {
    if (message.type !== 'utf8') connection.sendBytes(message.binaryData);
    else if (message.utf8Data.startsWith('finwait:')) obey(connection, message.utf8Data.slice('finwait:'.length));
    else connection.sendUTF(message.utf8Data);
  });

  if (open) {
    connection.sendUTF('finwait:opened');
    obey(connection, open);
  }
});
