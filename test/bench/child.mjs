/** Processes of a bench run: started, asked, measured by the operating system, and ended with it. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const IDLE_PROBE_MS = 50;
/** Timers and heartbeats go on for ever. */
const IDLE_MICROS = 2000;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** What the kernel has charged to a process and its workers, all threads, user and system, in microseconds. Linux only. */
export function cpuMicros(pid) {
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...workers].reduce((sum, each) => sum + ownCpuMicros(each), 0);
}

function ownCpuMicros(pid) {
  let nanos = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
  }
  if (nanos > 0) return nanos / 1000;
  // A kernel without scheduler statistics still counts ticks of 10 ms: fields 14 and 15, after a name that may hold blanks.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export class Child {
  constructor(process, port) {
    this.process = process;
    this.port = port;
    running.add(process);
    process.once('exit', () => running.delete(process));
  }

  /** A program of this folder, which answers every question with one message. */
  static async fork(file, args = [], options = {}) {
    const child = new Child(
      fork(file, args.map(String), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], ...options }),
    );
    child.port = (await child.#next()).port;
    return child;
  }

  /** The service as it is run in production, ready. `env` is all that it sees of the environment. */
  static async service(entry, env, cwd) {
    const port = await freePort();
    const full = {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      SERVER_HOST: '127.0.0.1',
      SERVER_PORT: String(port),
      ...env,
    };
    return Child.server(process.execPath, [entry], port, { cwd, env: full }, '/health/ready');
  }

  /** Any program that listens on `port`; ready when `path` is answered with 200. */
  static async server(command, args, port, options, path) {
    const child = new Child(spawn(command, args, { ...options, stdio: ['ignore', 'ignore', 'inherit'] }), port);
    for (let tries = 0; tries < 300; tries++) {
      if (child.process.exitCode !== null) break;
      const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
      if (answer?.status === 200) return child;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${command} ${args.join(' ')} did not become ready`);
  }

  get cpuMicros() {
    return cpuMicros(this.process.pid);
  }

  get rssBytes() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.process.pid}/status`, 'utf8'))[1]) * 1024;
  }

  /** Resolves when it has nothing more to do: what it put off, like commits after an acknowledgement, belongs to its cost. */
  async idle() {
    for (let before = this.cpuMicros; ;) {
      await new Promise((resolve) => setTimeout(resolve, IDLE_PROBE_MS));
      const now = this.cpuMicros;
      if (now - before < IDLE_MICROS) return;
      before = now;
    }
  }

  /** One question at a time. */
  async ask(message) {
    this.process.send(message);
    return this.#next();
  }

  async end() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  async #next() {
    const ended = new AbortController();
    const failed = once(this.process, 'exit', { signal: ended.signal }).then(() => {
      throw new Error(`${this.process.spawnargs.join(' ')} ended`);
    });
    failed.catch(() => undefined);
    try {
      const [answer] = await Promise.race([once(this.process, 'message', { signal: ended.signal }), failed]);
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    } finally {
      ended.abort();
    }
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}
