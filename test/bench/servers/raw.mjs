/**
 * The floor: what Node itself costs. WebSocket clients on bare `net` sockets which are all written one prebuilt Buffer, and a
 * hand-made `node:http` server that reads a request's JSON, writes the frame to its user's sockets and answers as Ara does.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { acceptHeader, textFrame } from '../websocket.mjs';
import { EVENT, notification, sendAnswer } from '../workload.cjs';

const sockets = [];
const users = new Map();
/** As many headers as Ara's answers have, of about the same length. */
const HEADERS = [
  ...Array.from({ length: Number(process.argv[2]) }, (_, i) => [
    `X-Header-Of-An-Answer-${i}`,
    'a value of usual length',
  ]).flat(),
  ...['Content-Type', 'application/json; charset=utf-8'],
];

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    const answer = JSON.stringify(body.notifications === undefined ? send(body, body.target_user_id) : batch(body));
    response.writeHead(200, [...HEADERS, 'Content-Length', String(Buffer.byteLength(answer))]).end(answer);
  });
});

function send(event, user) {
  const id = randomUUID();
  const frame = textFrame(JSON.stringify(notification(id, event)));
  const own = users.get(user) ?? [];
  for (const socket of own) socket.write(frame);
  return sendAnswer(id, own.length);
}

function batch({ notifications }) {
  const results = notifications.map((item, index) => {
    const { notification_id, delivered_to, failed, success } = send(item, item.target.value);
    return { index, notification_id, delivered_to, failed, success };
  });
  const summary = {
    total: results.length,
    succeeded: results.length,
    failed: 0,
    skipped: 0,
    total_delivered: results.length,
  };
  const timestamp = new Date().toISOString();
  return { batch_id: `batch-${randomUUID()}`, results, summary, successful: results.length, failed: 0, timestamp };
}

server.on('upgrade', (request, socket) => {
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${acceptHeader(request.headers['sec-websocket-key'])}\r\n\r\n`,
  );
  socket.on('error', () => undefined).resume();
  sockets.push(socket);
  const user = new URL(request.url, 'http://localhost').searchParams.get('user');
  const own = users.get(user);
  if (own === undefined) users.set(user, [socket]);
  else own.push(socket);
});

/** Triggers of a Redis: each read, built into a frame, and written. */
function listenToRedis(url) {
  const subscriber = new Redis(url);
  subscriber.on('pmessage', (_pattern, _channel, text) => {
    const { event, target } = JSON.parse(text);
    send(event, target);
  });
  return subscriber.psubscribe('notification:user:*');
}

process.on('message', async ({ times = 0, redis }) => {
  if (redis !== undefined) await listenToRedis(redis);
  for (let i = 0; i < times; i++) {
    const frame = textFrame(JSON.stringify(notification(randomUUID(), EVENT)));
    for (const socket of sockets) socket.write(frame);
  }
  process.send({});
});
server.listen(0, '127.0.0.1', 4096, () => process.send({ port: server.address().port }));
