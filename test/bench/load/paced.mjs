/**
 * Sends at a fixed rate whatever comes back (an open loop), and measures from the moment at which a request was due until
 * its notification has arrived at its user.
 */
import { connect } from 'node:net';
import { maskedFrame, openWebSocket } from '../websocket.mjs';
import { API_KEY, EVENT, tokenFor } from '../workload.cjs';

const USERS = 10;
const TICK_MS = 1;
/** How long after the last request its notification may still come. */
const PATIENCE_MS = 3000;

const due = [];
const latencies = [];
let doesAcknowledge = false;

async function run({ port, perSecond, seconds, first, acknowledges = false }) {
  due.length = latencies.length = 0;
  doesAcknowledge = acknowledges;
  const users = Array.from({ length: USERS }, (_, i) => `user-${first + i}`);
  const clients = await Promise.all(users.map((user) => openWebSocket(port, `/ws?token=${tokenFor(user)}`, onFrame)));
  const posts = users.map(() => connect({ port, host: '127.0.0.1', noDelay: true }).on('data', () => undefined));
  await Promise.all(posts.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const total = perSecond * seconds;
  const startedAt = performance.now();
  await new Promise((resolve) => {
    const timer = setInterval(() => {
      for (; due.length < total;) {
        const at = startedAt + (due.length * 1000) / perSecond;
        if (at > performance.now()) return;
        post(posts[due.length % USERS], users[due.length % USERS], due.length);
        due.push(at);
      }
      if (latencies.length < total && performance.now() < startedAt + seconds * 1000 + PATIENCE_MS) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  for (const socket of [...clients, ...posts]) socket.destroy();
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { sent: total, arrived: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) };
}

function post(socket, user, number) {
  const body = JSON.stringify({ target_user_id: user, ...EVENT, payload: { number, ...EVENT.payload } });
  socket.write(
    `POST /api/v1/notifications/send HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: ${API_KEY}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function onFrame(bytes, start, end, socket) {
  const text = bytes.latin1Slice(start, end);
  const at = text.indexOf('"number":');
  if (at === -1) return;
  latencies.push(performance.now() - due[parseInt(text.slice(at + 9), 10)]);
  if (!doesAcknowledge) return;
  const id = text.indexOf('"id":"') + 6;
  socket.write(maskedFrame(`{"type":"Ack","payload":{"notification_id":"${text.slice(id, id + 36)}"}}`));
}

process.on('message', async (question) => {
  try {
    process.send(await run(question));
  } catch (error) {
    process.send({ error: String(error.message) });
  }
});
process.send({ port: 0 });
