import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { faultOf } from './redis-error';
import type { RedisAddress } from './redis-url';

/** One server (also behind Sentinel), or a Redis Cluster. */
export type RedisClient = Redis | Cluster;

/** The longest that TCP, TLS, login and the first answer may take together. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** How long a connection that was given up may take to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 500;
const KEEP_ALIVE_MS = 5_000;

interface ClientOptions {
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly commandTimeoutMs: number;
}

/**
 * A client for one connection's life: it does not connect by itself, never reconnects, queues nothing while it is not
 * connected and never sends a command twice, so that a command has either been answered or failed.
 */
export function createRedisClient(address: RedisAddress, { name, commandTimeoutMs }: ClientOptions): RedisClient {
  const { username, password, tls, hosts } = address;
  const options = {
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    connectionName: name,
    commandTimeout: commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  } satisfies RedisOptions;
  switch (address.kind) {
    case 'server':
      return new Redis({ ...options, ...hosts[0], db: address.db, ...(tls && { tls: {} }) });
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: [...hosts],
        name: address.masterName,
        db: address.db,
        sentinelRetryStrategy: () => null,
        sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
        ...(address.sentinelUsername !== undefined && { sentinelUsername: address.sentinelUsername }),
        ...(address.sentinelPassword !== undefined && { sentinelPassword: address.sentinelPassword }),
        ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
      });
    case 'cluster':
      return new Cluster([...hosts], {
        lazyConnect: true,
        clusterRetryStrategy: null,
        enableOfflineQueue: false,
        // A command whose connection broke may have been carried out: only its caller knows whether to repeat it.
        retryDelayOnFailover: 0,
        slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
        redisOptions: { ...options, ...(tls && { tls: {} }) },
      });
  }
}

/** For Pub/Sub: any node of a Redis Cluster carries it, so one connection to one of them is enough; each attempt takes the next. */
export function createSubscriberClient(address: RedisAddress, attempt: number, options: ClientOptions): Redis {
  const host = address.hosts[attempt % address.hosts.length] ?? address.hosts[0];
  const single: RedisAddress =
    address.kind === 'cluster' ? { ...address, kind: 'server', db: 0, hosts: [host] } : address;
  const client = createRedisClient(single, options);
  if (client instanceof Cluster) throw new Error('a subscriber speaks with one server');
  return client;
}

/** Resolves when every server behind the client has answered. A silent node of a cluster is cut off, so that its slots are looked for anew. */
export async function ping(client: RedisClient, timeoutMs: number): Promise<void> {
  if (client instanceof Redis) return answered(client, timeoutMs);
  const nodes = client.nodes('master');
  const results = await Promise.allSettled(nodes.map((node) => answered(node, timeoutMs)));
  const silent = nodes.filter((_, index) => results[index]?.status === 'rejected');
  if (silent.length === nodes.length) throw new Error('no node answered a PING');
  for (const node of silent) node.disconnect();
}

async function answered(client: Redis, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer to PING within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    await Promise.race([client.ping(), silence]);
  } catch (error) {
    // A refusal is an answer too: the link is alive.
    if (faultOf(error) !== 'refusal') throw error;
  } finally {
    clearTimeout(timer);
  }
}
