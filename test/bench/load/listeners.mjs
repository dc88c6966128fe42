/** Many WebSocket clients that count what they receive. A process of its own per server. */
import { maskedFrame, openWebSocket } from '../websocket.mjs';
import { tokenFor } from '../workload.cjs';

/** Shorter frames are the servers' own: heartbeats, greetings. */
const NOTIFICATION_FROM_BYTES = 200;
const CONNECTING_AT_ONCE = 100;

/** What a server's protocol wants beside reading: where to connect, and answers to its short frames. */
const DIALECTS = {
  ws: { path: (user) => `/ws?token=${tokenFor(user)}&user=${user}` },
  'socket.io': {
    path: () => '/socket.io/?EIO=4&transport=websocket',
    joinedOn: '40',
    answer: (text) => (text.startsWith('0') ? '40' : text === '2' ? '3' : undefined),
  },
  centrifugo: {
    path: () => '/connection/websocket',
    greeting: '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"all"}}',
    joinedOn: '{"id":2',
    answer: (text) => (text === '{}' ? '{}' : undefined),
  },
};

let received = 0;
let expected = Infinity;
let doesAcknowledge = false;
let kindOfServer = '';

const answers = {
  /** Opens `count` clients; user names count up from `first`. */
  async connect({ port, kind, count, first = 0, acknowledges = false }) {
    doesAcknowledge = acknowledges;
    kindOfServer = kind;
    let next = first;
    const worker = async () => {
      while (next < first + count) await open(port, DIALECTS[kind], `user-${next++}`);
    };
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, worker));
    return {};
  },

  /** Starts counting from zero; the question after it is `wait`. */
  expect({ count }) {
    received = 0;
    expected = count;
    return {};
  },

  /** Resolves when all have come, with the moment of the last one. */
  async wait() {
    while (received < expected) {
      if (hasLost) throw new Error(`a ${kindOfServer} connection was closed; ${received} of ${expected} notifications have come`);
      await new Promise((resolve) => (wake = resolve));
    }
    return { lastAt: String(lastAt), received };
  },
};

let wake = () => undefined;
let hasLost = false;
let lastAt = 0n;

function counted(bytes, start, end, socket) {
  if (doesAcknowledge) acknowledge(bytes, start, end, socket);
  if (++received < expected) return;
  lastAt = process.hrtime.bigint();
  wake();
}

function acknowledge(bytes, start, end, socket) {
  const at = bytes.indexOf('"id":"', start) + 6;
  const id = bytes.latin1Slice(at, Math.min(at + 36, end));
  socket.write(maskedFrame(`{"type":"Ack","payload":{"notification_id":"${id}"}}`));
}

async function open(port, { path, greeting, joinedOn, answer }, user) {
  let joined = () => undefined;
  const hasJoined = new Promise((resolve) => (joined = resolve));
  const socket = await openWebSocket(port, path(user), (bytes, start, end, socket) => {
    if (end - start >= NOTIFICATION_FROM_BYTES) return counted(bytes, start, end, socket);
    if (joinedOn === undefined) return;
    const text = bytes.latin1Slice(start, end);
    const reply = answer(text);
    if (reply !== undefined) socket.write(maskedFrame(reply));
    if (text.includes(joinedOn)) joined();
  });
  socket.once('close', () => {
    hasLost = true;
    wake();
  });
  if (greeting !== undefined) socket.write(maskedFrame(greeting));
  if (joinedOn !== undefined) await hasJoined;
}

process.on('message', async (question) => {
  try {
    process.send(await answers[question.do](question));
  } catch (error) {
    process.send({ error: String(error.message) });
  }
});
process.send({ port: 0 });
