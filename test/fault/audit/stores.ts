import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Env } from '../../support/ara-process';
import { childrenOf, embeddedFolder, isAlive, PostgresServer, signal } from '../../support/postgres-server';
import { startRedis } from '../../support/redis-server';
import { until } from '../../support/until';
import { RedisFailover } from '../../support/redis-failover';
import type { AuditOptions, Fsync } from './options';

const LOCAL = '127.0.0.1';

/** What keeps the queue, as something that can go wrong. */
export interface AuditStore {
  /** Of a server that listens on TCP. */
  readonly port: number | undefined;
  /** What Ara is told; `port` and `host`: of whatever stands in between. */
  env(port?: number, host?: string): Env;
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

type StoreOptions = Pick<AuditOptions, 'store' | 'fsync' | 'fault' | 'waitsForReplica'>;

/** @param hosts further addresses at which Redis has to listen */
export function startStore(options: StoreOptions, hosts: readonly string[] = []): Promise<AuditStore> {
  if (options.fault === 'failover') return failover(options);
  switch (options.store) {
    case 'redis':
      return redis(options.fsync, hosts);
    case 'postgres':
      return postgres();
    case 'embedded':
      return embedded();
  }
}

/** A Redis that carries what nodes say to each other, and keeps nothing: undefined where the store does, or nobody needs it. */
export async function startBus(
  { nodes, store }: AuditOptions,
  hosts: readonly string[],
): Promise<AuditStore | undefined> {
  if (nodes === 1 || store === 'redis') return undefined;
  const bus = await redis(undefined, hosts);
  return { ...bus, env: (port = bus.port, host = LOCAL) => ({ REDIS_URL: `redis://${host}:${port}` }) };
}

async function redis(fsync: Fsync | undefined, hosts: readonly string[]): Promise<AuditStore> {
  const server = await startRedis({
    args: [
      ...(fsync === undefined ? [] : ['--appendonly', 'yes', '--appendfsync', fsync]),
      ...(hosts.length === 0 ? [] : ['--bind', LOCAL, ...hosts, '--protected-mode', 'no']),
    ],
  });
  return {
    port: server.port,
    env: (port = server.port, host = LOCAL) => ({ ...backend('redis'), REDIS_URL: `redis://${host}:${port}` }),
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

/** `kill` ends the master; `restart` lets it come back, as a replica, once the other one has taken its place. */
async function failover({ fsync, waitsForReplica }: StoreOptions): Promise<AuditStore> {
  const group = await RedisFailover.start([
    ...['--appendonly', 'yes', '--appendfsync', fsync],
    ...(waitsForReplica ? ['--min-replicas-to-write', '1'] : []),
  ]);
  const fail = (): never => {
    throw new Error('a Redis behind Sentinels is killed, not stopped');
  };
  return {
    port: undefined,
    env: () => ({
      ...backend('redis'),
      REDIS_URL: group.url,
      ...(waitsForReplica && { QUEUE_REDIS_WAIT: '1' }),
    }),
    kill: () => group.killMaster(),
    restart: () => group.recover(),
    pause: fail,
    resume: fail,
    close: () => group.close(),
  };
}

async function postgres(): Promise<AuditStore> {
  const server = await PostgresServer.start();
  return {
    port: server.port,
    env: (port = server.port, host = LOCAL) => ({
      ...backend('postgres'),
      DATABASE_URL: server.url.replace(`${LOCAL}:${server.port}/`, `${host}:${port}/`),
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
