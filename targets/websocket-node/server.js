// An echo server as the README of websocket shows it.
const http = require('node:http');
const { server: WebSocketServer } = require('websocket');

const port = Number(process.env.PORT);
const httpServer = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
httpServer.listen(port, '127.0.0.1', () => console.log(`listening 127.0.0.1:${port}`));

const server = new WebSocketServer({ httpServer, autoAcceptConnections: false });
server.on('request', (request) => {
  const connection = request.accept(null, request.origin);
  connection.on('message', (message) => {
    if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
    else connection.sendBytes(message.binaryData);
  });
});
