import { parseArgs } from 'node:util';

export const FAULTS = {
  none: 'nothing',
  kill9: 'a node is killed and started again, 20 times per 10,000 notifications',
  failpoint: 'a node ends between two steps of a notification: append, send, write, commit, and of an acknowledgement',
  'redis-restart': 'Redis is killed and started again, 10 times',
  'redis-stop': 'Redis hangs for 30 s',
  'pg-kill': 'PostgreSQL is killed and started again, 10 times',
  'pg-stop': 'PostgreSQL hangs for 30 s',
  'slow-store': 'the store answers late, and three times not at all for longer than Ara waits',
  rolling: 'one node after the other is ended in order and started again',
  failover: 'the master of a Redis behind three Sentinels is killed, and comes back as a replica',
  partition: 'one node is cut off from Redis for 15 s, its clients stay (root, iproute2)',
  triggers: 'nothing, but notifications are published in Redis and every node hears them; --times nodes are killed',
  ingest: 'notifications come in by a Redis Stream, and a node is killed and started again, 5 times',
} as const;

export type FaultName = keyof typeof FAULTS;
export type StoreName = 'redis' | 'postgres' | 'embedded';
export type Fsync = 'always' | 'everysec';

/** Faults that only several nodes can have. */
const OF_CLUSTERS: readonly FaultName[] = ['rolling', 'failover', 'partition', 'triggers', 'ingest'];
/** Faults of the Redis that keeps the queue. */
const OF_REDIS: readonly FaultName[] = ['redis-restart', 'redis-stop', 'failover'];
const MAX_NODES = 9;

export interface AuditOptions {
  readonly fault: FaultName;
  readonly store: StoreName;
  readonly nodes: number;
  readonly n: number;
  readonly seed: number;
  readonly hasAcks: boolean;
  readonly fsync: Fsync;
  readonly perSecond: number;
  /** As many as the posts suggest unless told. */
  readonly users: number | undefined;
  /** How often the fault happens; as often as it says unless told. */
  readonly times: number | undefined;
  /** Length of a hang, or a partition; as long as the fault says unless told. */
  readonly hangMs: number | undefined;
  /** Whether an entry counts as stored only when a replica of Redis has it. */
  readonly waitsForReplica: boolean;
}

export const HELP = `Drives real nodes, breaks something, and compares what was accepted with what arrived.

  npm run audit -- --fault kill9 --n 10000 --seed 7
  npm run audit -- --fault kill9 --nodes 3 --users 1000

  --fault <name>   ${Object.entries(FAULTS)
    .map(([name, what]) => `${name.padEnd(14)} ${what}`)
    .join('\n                   ')}
  --nodes <count>  nodes that are one cluster (default 1; ${OF_CLUSTERS.join(', ')}: 3)
  --store <name>   redis, postgres (default, but for faults of Redis), embedded (one node only)
  --ack on|off     whether clients acknowledge (default on)
  --n <count>      notifications to post (default 10000)
  --users <count>  who gets them, on 13 devices for every 10 (default 1 per 50 notifications, 16 to 200)
  --seed <number>  decides everything that is planned (default 7)
  --rate <number>  notifications per second (default 300)
  --times <count>  how often the fault happens
  --hang <seconds> length of a hang (default 30), or of a partition (default 15)
  --fsync <when>   Redis' appendfsync: always (default), everysec
  --wait on|off    failover: stored is what a replica has, QUEUE_REDIS_WAIT=1 and min-replicas-to-write 1 (default on);
                   off: what is lost is counted, and is no error

Needs a redis-server, or a PostgreSQL, of the machine; embedded needs neither. The result is one JSON object on one line;
the exit code is 0 when nothing was wrong, 1 when something was, 2 when the audit could not be made.`;

/** Throws an Error that is meant for the operator; undefined when only help is wanted. */
export function parseOptions(args: readonly string[]): AuditOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      fault: { type: 'string', default: 'none' },
      nodes: { type: 'string' },
      store: { type: 'string' },
      ack: { type: 'string', default: 'on' },
      n: { type: 'string', default: '10000' },
      users: { type: 'string' },
      seed: { type: 'string', default: '7' },
      rate: { type: 'string', default: '300' },
      times: { type: 'string' },
      hang: { type: 'string' },
      fsync: { type: 'string', default: 'always' },
      wait: { type: 'string', default: 'on' },
    },
  });
  if (values.help) return undefined;
  const fault = oneOf('fault', values.fault, Object.keys(FAULTS) as FaultName[]);
  const isOfCluster = OF_CLUSTERS.includes(fault);
  const nodes = positive('nodes', values.nodes ?? (isOfCluster ? '3' : '1'));
  if (nodes > MAX_NODES) throw new Error(`--nodes is at most ${MAX_NODES}`);
  if (isOfCluster && nodes === 1) throw new Error(`--fault ${fault} needs more than one node`);
  const isOfRedis = OF_REDIS.includes(fault);
  const usual = isOfRedis || isOfCluster ? 'redis' : 'postgres';
  const store = oneOf('store', values.store ?? usual, ['redis', 'postgres', 'embedded']);
  if (!fits(fault, store, nodes)) throw new Error(`--fault ${fault} is none of --store ${store}`);
  if (nodes > 1 && store === 'embedded') throw new Error('An embedded store belongs to one node');
  if (fault === 'slow-store' && store === 'embedded')
    throw new Error('Nothing stands between Ara and an embedded store');
  return {
    fault,
    store,
    nodes,
    hasAcks: oneOf('ack', values.ack, ['on', 'off']) === 'on',
    fsync: oneOf('fsync', values.fsync, ['always', 'everysec']),
    n: positive('n', values.n),
    users: values.users === undefined ? undefined : positive('users', values.users),
    seed: positive('seed', values.seed),
    perSecond: positive('rate', values.rate),
    times: values.times === undefined ? undefined : positive('times', values.times),
    hangMs: values.hang === undefined ? undefined : positive('hang', values.hang) * 1000,
    waitsForReplica: oneOf('wait', values.wait, ['on', 'off']) === 'on',
  };
}

/** With several nodes Redis carries what they say to each other, whatever keeps the queue. */
function fits(fault: FaultName, store: StoreName, nodes: number): boolean {
  if (fault === 'failover') return store === 'redis';
  if (OF_REDIS.includes(fault)) return store === 'redis' || (store === 'postgres' && nodes > 1);
  return !fault.startsWith('pg-') || store !== 'redis';
}

function oneOf<Value extends string>(option: string, value: string, known: readonly Value[]): Value {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new Error(`--${option} is one of ${known.join(', ')}, not ${value}`);
  return found;
}

function positive(option: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option} is a number of at least 1, not ${value}`);
  return number;
}
