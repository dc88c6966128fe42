/** Many WebSocket clients that count what they receive. A process of its own per server. */
import { maskedFrame, openWebSocket } from '../websocket.mjs';
import { tokenFor } from '../workload.cjs';

/** Shorter frames are the servers' own: heartbeats, greetings. */
const NOTIFICATION_FROM_BYTES = 200;
const CONNECTING_AT_ONCE = 100;
const CHANNELS_PER_MESSAGE = 100;

/** What a server's protocol wants beside reading: where to connect, and answers to its short frames. */
const DIALECTS = {
  ws: { path: (user, claims) => `/ws?token=${tokenFor(user, claims)}&user=${user}` },
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

const clients = [];

const answers = {
  /**
   * Opens `count` clients; user names count up from `first`, unless all are of one `user`. `perTenant`: each is of a
   * tenant of its own, whose name counts up likewise.
   */
  async connect({ port, kind, count, first = 0, user, perTenant = false, acknowledges = false }) {
    doesAcknowledge = acknowledges;
    kindOfServer = kind;
    let next = first;
    const worker = async () => {
      while (next < first + count) {
        const number = next++;
        const claims = perTenant ? { tenant_id: `tenant-${number}` } : {};
        clients.push(await open(port, DIALECTS[kind], user ?? `user-${number}`, claims));
      }
    };
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, worker));
    return {};
  },

  /** Each client from the `from`th on subscribes to the channels `prefix` 0, 1, …; resolves when all of that is confirmed. */
  async subscribe({ from = 0, prefix, first, count }) {
    for (const client of clients.slice(from)) {
      for (let at = first; at < first + count; at += CHANNELS_PER_MESSAGE) {
        const length = Math.min(CHANNELS_PER_MESSAGE, first + count - at);
        const channels = Array.from({ length }, (_, i) => `${prefix}${at + i}`);
        const confirmed = new Promise((resolve) => (confirm = resolve));
        client.write(maskedFrame(JSON.stringify({ type: 'Subscribe', payload: { channels } })));
        await confirmed;
      }
    }
    return {};
  },

  /** All go at once, without a word. */
  disconnect() {
    for (const client of clients.splice(0)) client.removeAllListeners('close').destroy();
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
      if (hasLost)
        throw new Error(`a ${kindOfServer} connection was closed; ${received} of ${expected} notifications have come`);
      await new Promise((resolve) => (wake = resolve));
    }
    return { lastAt: String(lastAt), received };
  },
};

let wake = () => undefined;
let confirm;
let hasLost = false;
let lastAt = 0n;

function counted(bytes, start, end, socket) {
  if (confirm !== undefined && isConfirmation(bytes, start, end)) return;
  if (doesAcknowledge) acknowledge(bytes, start, end, socket);
  if (++received < expected) return;
  lastAt = process.hrtime.bigint();
  wake();
}

function isConfirmation(bytes, start, end) {
  if (!bytes.latin1Slice(start, Math.min(start + 24, end)).includes('"subscribed"')) return false;
  confirm?.();
  confirm = undefined;
  return true;
}

function acknowledge(bytes, start, end, socket) {
  const at = bytes.indexOf('"id":"', start) + 6;
  const id = bytes.latin1Slice(at, Math.min(at + 36, end));
  socket.write(maskedFrame(`{"type":"Ack","payload":{"notification_id":"${id}"}}`));
}

async function open(port, { path, greeting, joinedOn, answer }, user, claims) {
  let joined = () => undefined;
  const hasJoined = new Promise((resolve) => (joined = resolve));
  const socket = await openWebSocket(port, path(user, claims), (bytes, start, end, socket) => {
    if (end - start >= NOTIFICATION_FROM_BYTES) return counted(bytes, start, end, socket);
    if (joinedOn === undefined) return void isConfirmation(bytes, start, end);
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
  return socket;
}

process.on('message', async (question) => {
  try {
    process.send(await answers[question.do](question));
  } catch (error) {
    process.send({ error: String(error.message) });
  }
});
process.send({ port: 0 });
