/** socket.io as its documentation starts: `io.emit` to all, WebSocket only, no compression. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { EVENT, notification } from '../workload.cjs';

const http = createServer();
const io = new Server(http, { transports: ['websocket'], pingTimeout: 120_000 });

process.on('message', ({ times }) => {
  for (let i = 0; i < times; i++) io.emit('notification', notification(randomUUID(), EVENT));
  process.send({});
});
http.listen(0, '127.0.0.1', 4096, () => process.send({ port: http.address().port }));
