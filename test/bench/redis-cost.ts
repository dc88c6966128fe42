/**
 * What Redis carries per operation of a cluster of three nodes.
 *
 *   npm run bench:redis -- [operations]     (500 operations each, some two minutes; needs a redis-server)
 *
 * Commands are counted by MONITOR in a pass of their own, those inside scripts left out; bytes and CPU time are what
 * Redis says of itself (INFO). What nodes that do nothing cost in the same time is taken off.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { TestCluster } from '../support/test-cluster';
import type { WsClient } from '../support/ws-client';
import { until } from '../support/until';

const OPERATIONS = Number(process.argv[2] ?? 500);
const CONCURRENCY = 16;
const COUNTED = 100;
const IDLE_MS = 5000;
const SESSIONS = 3000;
const STORES = { QUEUE_ENABLED: 'true', QUEUE_BACKEND: 'redis', ACK_ENABLED: 'true', ACK_BACKEND: 'redis' };
/** A frame of some 150 bytes more than nothing. */
const CONTENT = { event_type: 'order.shipped', payload: { order: 42, text: 'x'.repeat(30) } };

interface Cost {
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly cpuUs: number;
}

const ZERO: Cost = { commands: 0, bytesIn: 0, bytesOut: 0, cpuUs: 0 };

class Measured {
  readonly redis: Redis;
  #idlePerMs = ZERO;

  private constructor(readonly cluster: TestCluster) {
    this.redis = new Redis(cluster.redis.url);
  }

  static async start(env: Readonly<Record<string, string>>): Promise<Measured> {
    const measured = new Measured(await TestCluster.start({ LOG_LEVEL: 'error', ...env }));
    await until('all listen', async () => (await measured.redis.publish('notification:broadcast', '')) === 3);
    return measured;
  }

  /** To be called when all clients are there. */
  async idle(): Promise<void> {
    const before = await this.#read();
    await sleep(IDLE_MS);
    const after = await this.#read();
    const commands = await this.#commands(() => sleep(IDLE_MS));
    this.#idlePerMs = scaled({ ...difference(after, before), commands }, 1 / IDLE_MS);
  }

  get idleUsPerMs(): number {
    return this.#idlePerMs.cpuUs;
  }

  async operation(run: (n: number) => Promise<unknown>): Promise<Cost> {
    await times(COUNTED, run);
    const countedAt = performance.now();
    const commands = await this.#commands(() => times(COUNTED, run));
    const countedMs = performance.now() - countedAt;
    const before = await this.#read();
    const startedAt = performance.now();
    await times(OPERATIONS, run);
    const ms = performance.now() - startedAt;
    const after = await this.#read();
    const cost = scaled(difference(difference(after, before), scaled(this.#idlePerMs, ms)), 1 / OPERATIONS);
    return { ...cost, commands: (commands - this.#idlePerMs.commands * countedMs) / COUNTED };
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    await this.cluster.stop();
  }

  /** Commands that clients send while `work` lasts, this one's own aside. */
  async #commands(work: () => Promise<unknown>): Promise<number> {
    const own = await this.redis.client('ID');
    const info = await this.redis.client('INFO');
    const address = /\baddr=(\S+)/.exec(info)?.[1] ?? String(own);
    const monitor = await this.redis.monitor();
    let count = 0;
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source !== 'lua' && source !== address && args[0]?.toLowerCase() !== 'ping') count++;
    });
    await work();
    // What is on its way between nodes is counted, too.
    await sleep(300);
    monitor.disconnect();
    await once(monitor, 'end').catch(() => undefined);
    return count;
  }

  async #read(): Promise<Cost> {
    const text = await this.redis.info();
    const value = (name: string): number => Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1]);
    return {
      commands: 0,
      bytesIn: value('total_net_input_bytes'),
      bytesOut: value('total_net_output_bytes'),
      cpuUs: 1e6 * (value('used_cpu_user') + value('used_cpu_sys')),
    };
  }
}

async function times(count: number, run: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await run(n);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function difference(one: Cost, other: Cost): Cost {
  return {
    commands: one.commands - other.commands,
    bytesIn: one.bytesIn - other.bytesIn,
    bytesOut: one.bytesOut - other.bytesOut,
    cpuUs: one.cpuUs - other.cpuUs,
  };
}

function scaled(cost: Cost, by: number): Cost {
  return {
    commands: cost.commands * by,
    bytesIn: cost.bytesIn * by,
    bytesOut: cost.bytesOut * by,
    cpuUs: cost.cpuUs * by,
  };
}

/** CPU time of the first node so far. */
async function nodeCpuMs(cluster: TestCluster): Promise<number> {
  const { text } = await cluster.node(0).get('/metrics');
  return 1000 * Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]);
}

/** Acknowledges all it gets and keeps nothing. */
function consume(client: WsClient): void {
  client.socket.on('message', (data: Buffer) => {
    const { type, id } = JSON.parse(data.toString()) as { type: string; id?: string };
    if (type === 'notification') client.send({ type: 'Ack', payload: { notification_id: id } });
    client.inbox.drain();
  });
}

function print(name: string, { commands, bytesIn, bytesOut, cpuUs }: Cost): void {
  const kB = (bytes: number): string => `${(Math.max(0, bytes) / 1000).toFixed(1)} kB`;
  process.stdout.write(
    `| ${name} | ${commands.toFixed(1)} | ${kB(bytesIn)} | ${kB(bytesOut)} | ${Math.round(cpuUs)} µs |\n`,
  );
}

/** Says what a connection costs its node, in ms of CPU. */
async function withoutStores(): Promise<number> {
  const measured = await Measured.start({});
  const { cluster, redis } = measured;
  const clients = await Promise.all([0, 1, 2].map((node) => cluster.node(node).ws(`user-${node}`)));
  for (const client of clients) await client.subscribe('news');
  for (const client of clients) consume(client);
  await measured.idle();
  const post = (path: string, body: object) => async () => {
    const { status, text } = await cluster.node(0).post(`/api/v1/notifications/${path}`, { ...CONTENT, ...body });
    if (status !== 200) throw new Error(`${path} answered ${status} ${text}`);
  };
  const rows: readonly (readonly [string, (n: number) => Promise<unknown>])[] = [
    ['to a user here', post('send', { target_user_id: 'user-0' })],
    ['to a user nowhere', post('send', { target_user_id: 'nobody' })],
    ['to a user on another node', post('send', { target_user_id: 'user-1' })],
    ['broadcast, connections on all three nodes', post('broadcast', {})],
    ['channel, subscribers on all three', post('channel', { channel: 'news' })],
    ['channel without subscribers', post('channel', { channel: 'nobody-there' })],
  ];
  for (const [name, run] of rows) print(name, await measured.operation(run));
  const event = (n: number): string =>
    JSON.stringify({ type: 'user', target: 'user-0', event: { ...CONTENT, payload: n } });
  let published = 0;
  const trigger = await measured.operation(() => redis.publish('notification:user:user-0', event(published++)));
  // Published by this process' own connection, which is left out of what is counted.
  print('a trigger that three nodes hear, without id', { ...trigger, commands: trigger.commands + 1 });
  const open = async (n: number): Promise<void> => {
    const client = await cluster.node(0).ws(`guest-${n}`);
    await client.settled();
    await client.close();
  };
  const opened = await measured.operation(open);
  print('a connection that opens and closes', opened);
  const cpuBefore = await nodeCpuMs(cluster);
  await times(OPERATIONS, open);
  const cpuMs = ((await nodeCpuMs(cluster)) - cpuBefore) / OPERATIONS;
  await measured.stop();
  return cpuMs;
}

async function withStores(): Promise<void> {
  const measured = await Measured.start(STORES);
  const client = await measured.cluster.node(0).ws('user-0');
  consume(client);
  await measured.idle();
  const body = { ...CONTENT, target_user_id: 'user-0' };
  print(
    'to a user here, queue and ACK in Redis',
    await measured.operation(() => measured.cluster.node(0).post('/api/v1/notifications/send', body)),
  );
  await measured.stop();
}

/** Says what a session takes in Redis, in bytes, and what it costs to prolong it, in µs. */
async function sessions(): Promise<{ readonly bytes: number; readonly refreshUs: number }> {
  const measured = await Measured.start({ WEBSOCKET_HEARTBEAT_INTERVAL: '1', WEBSOCKET_MAX_CONNECTIONS: '0' });
  const { cluster, redis } = measured;
  const memory = async (): Promise<number> => Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
  await measured.idle();
  const idleUs = measured.idleUsPerMs;
  const before = await memory();
  await times(SESSIONS, (n) => cluster.node(n % 3).ws(`user-${n}`));
  await sleep(IDLE_MS);
  const bytes = ((await memory()) - before) / SESSIONS;
  await measured.idle();
  const refreshUs = (measured.idleUsPerMs - idleUs) * (1000 / SESSIONS);
  await measured.stop();
  return { bytes, refreshUs };
}

async function main(): Promise<void> {
  process.stdout.write('| | Commands | In | Out | Redis CPU |\n|---|--:|--:|--:|--:|\n');
  const cpuMs = await withoutStores();
  await withStores();
  const { bytes, refreshUs } = await sessions();
  process.stdout.write(`\nA connection that opens and closes costs its node ${cpuMs.toFixed(2)} ms of CPU time.\n`);
  process.stdout.write(
    `A session takes ${Math.round(bytes)} bytes in Redis; to prolong it costs ${refreshUs.toFixed(1)} µs.\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
