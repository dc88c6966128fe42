/** Many WebSocket clients that count what they receive. A process of its own per server. */
import { maskedFrame, openWebSocket } from '../websocket.mjs';
import { tokenFor } from '../workload.cjs';

/** Shorter frames are the servers' own: heartbeats, greetings. */
const NOTIFICATION_FROM_BYTES = 200;
const CONNECTING_AT_ONCE = 100;
const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket';

let received = 0;
let expected = Infinity;

const answers = {
  /** Opens `count` clients; user names count up from `first`. */
  async connect({ port, kind, count, first = 0 }) {
    let next = first;
    const worker = async () => {
      while (next < first + count) await open(port, kind, `user-${next++}`);
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

  /** Resolves when all have come, with the moment of the last one and how much CPU reading took. */
  async wait() {
    while (received < expected) await new Promise((resolve) => (wake = resolve));
    return { lastAt, received };
  },
};

let wake = () => undefined;
let lastAt = 0n;

function onFrame(bytes, start, end, socket) {
  if (end - start < NOTIFICATION_FROM_BYTES)
    return answerEngine(bytes.latin1Slice(start, Math.min(start + 2, end)), socket);
  if (++received < expected) return;
  lastAt = process.hrtime.bigint();
  wake();
}

/** The opening and the heartbeat of socket.io; other servers send nothing that looks like it. */
function answerEngine(text, socket) {
  if (text.startsWith('0')) socket.write(maskedFrame('40'));
  else if (text === '2') socket.write(maskedFrame('3'));
  else if (text === '40') socket.emit('joined');
}

async function open(port, kind, user) {
  if (kind !== 'socket.io') return openWebSocket(port, `/ws?token=${tokenFor(user)}&user=${user}`, onFrame);
  const socket = await openWebSocket(port, SOCKET_IO, onFrame);
  await new Promise((resolve) => socket.once('joined', resolve));
  return socket;
}

process.on('message', async (question) => {
  try {
    const answer = await answers[question.do](question);
    process.send(JSON.parse(JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value))));
  } catch (error) {
    process.send({ error: String(error.message) });
  }
});
process.send({ port: 0 });
