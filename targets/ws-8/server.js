// An echo server as the README of ws shows it.
import { WebSocketServer } from 'ws';

const port = Number(process.env.PORT);
const server = new WebSocketServer({ host: '127.0.0.1', port }, () => console.log(`listening 127.0.0.1:${port}`));

server.on('connection', (socket) => {
  socket.on('error', console.error);
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
