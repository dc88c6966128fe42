import { createServer } from 'node:net';

/**
 * Below the ports that a kernel gives to whoever asks for any (32768 and up on Linux, RFC 6335 says 49152), so that no
 * connection sits on the port of a server that starts a moment later, or again after a crash; and low enough for the bus
 * of a Redis Cluster, 10,000 above.
 */
const FIRST = 10_000;
const PER_WORKER = 500;
const WORKERS = 20;

const first = FIRST + (Number(process.env['JEST_WORKER_ID'] ?? 0) % WORKERS) * PER_WORKER;
let last = Math.floor(Math.random() * PER_WORKER);

/**
 * A TCP port of 127.0.0.1 that nobody listens on. Every worker has ports of its own and takes one after the other: two
 * tests side by side, which would otherwise talk to each other's servers, never get the same.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < PER_WORKER; tried++) {
    last = (last + 1) % PER_WORKER;
    const port = first + last;
    if (await isFree(port)) return port;
  }
  throw new Error(`all ports from ${first} to ${first + PER_WORKER - 1} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => {
      answer(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        answer(true);
      });
    });
  });
}
