/** A back end that publishes triggers in Redis, pipelined, one user after the other. */
import { connect } from 'node:net';
import { trigger } from '../workload.cjs';

const PER_WRITE = 200;

/** Publishes `count` triggers for `users` users; resolves when Redis has taken the last one. */
async function run({ port, users, count }) {
  const commands = Array.from({ length: users }, (_, i) => publish(`user-${i}`));
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  let answered = 0;
  let sent = 0;
  let wake = () => undefined;
  socket.on('data', (chunk) => {
    if (chunk.includes(45)) throw new Error(chunk.toString());
    for (const byte of chunk) if (byte === 10) answered++;
    if (answered === sent) wake();
  });
  while (sent < count) {
    const size = Math.min(PER_WRITE, count - sent);
    const batch = Array.from({ length: size }, (_, i) => commands[(sent + i) % users]);
    sent += size;
    socket.write(batch.join(''));
    await new Promise((resolve) => (wake = resolve));
  }
  socket.destroy();
  return {};
}

function publish(user) {
  const words = ['PUBLISH', `notification:user:${user}`, trigger(user)];
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

process.on('message', async (question) => {
  try {
    process.send(await run(question));
  } catch (error) {
    process.send({ error: String(error.message) });
  }
});
process.send({ port: 0 });
