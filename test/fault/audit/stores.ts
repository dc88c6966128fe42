import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Env } from '../../support/ara-process';
import { childrenOf, embeddedFolder, isAlive, PostgresServer, signal } from '../../support/postgres-server';
import { startRedis } from '../../support/redis-server';
import { until } from '../../support/until';
import type { Fsync, StoreName } from './options';

/** What keeps the queue, as something that can go wrong. */
export interface AuditStore {
  /** Of a server that listens on TCP. */
  readonly port: number | undefined;
  /** What Ara is told; `port`: that of whatever stands in between. */
  env(port?: number): Env;
  /** Ends it without a goodbye. */
  kill(): Promise<void>;
  /** After `kill`; resolves when it serves again, by whomever it was started. */
  restart(): Promise<void>;
  /** From here to `resume` it takes connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** Once Ara has ended. */
  close(): Promise<void>;
}

const STORES: Readonly<Record<StoreName, (fsync: Fsync) => Promise<AuditStore>>> = { redis, postgres, embedded };

export function startStore(name: StoreName, fsync: Fsync): Promise<AuditStore> {
  return STORES[name](fsync);
}

async function redis(fsync: Fsync): Promise<AuditStore> {
  const server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', fsync] });
  return {
    port: server.port,
    env: (port = server.port) => ({ ...backend('redis'), REDIS_URL: `redis://127.0.0.1:${port}` }),
    kill: () => server.kill9(),
    restart: () => server.start(),
    pause: () => {
      server.pause();
    },
    resume: () => {
      server.resume();
    },
    close: () => server.close(),
  };
}

async function postgres(): Promise<AuditStore> {
  const server = await PostgresServer.start();
  return {
    port: server.port,
    env: (port = server.port) => ({
      ...backend('postgres'),
      DATABASE_URL: server.url.replace(`:${server.port}/`, `:${port}/`),
    }),
    kill: () => server.kill9(),
    restart: () => server.restart(),
    pause: () => {
      server.pause();
    },
    resume: () => {
      server.resume();
    },
    close: () => server.stop(),
  };
}

/** Ara's own server: whoever kills it leaves it to Ara to start it again. */
function embedded(): Promise<AuditStore> {
  const folder = embeddedFolder();
  const pid = (): number | undefined => {
    try {
      return Number.parseInt(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8'), 10);
    } catch {
      return undefined;
    }
  };
  const all = (): number[] => {
    const server = pid();
    return server === undefined ? [] : [server, ...childrenOf(server)];
  };
  let killed: number | undefined;
  const sendAll = (name: NodeJS.Signals): void => {
    for (const each of all()) signal(each, name);
  };
  return Promise.resolve({
    port: undefined,
    env: () => ({ ...backend('postgres'), DATABASE_URL: `embedded:${folder}` }),
    kill: async () => {
      const processes = all();
      killed = processes[0];
      sendAll('SIGKILL');
      await until('the server is gone', () => processes.every((each) => !isAlive(each)));
    },
    restart: async () => {
      await until('Ara has started its server again', () => pid() !== undefined && pid() !== killed, 30_000);
    },
    pause: () => {
      sendAll('SIGSTOP');
    },
    resume: () => {
      sendAll('SIGCONT');
    },
    close: async () => {
      sendAll('SIGKILL');
      await until('the server is gone', () => all().every((each) => !isAlive(each)));
      rmSync(dirname(folder), { recursive: true, force: true });
    },
  });
}

function backend(name: 'redis' | 'postgres'): Env {
  return { QUEUE_BACKEND: name, ACK_BACKEND: name };
}
