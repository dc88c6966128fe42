import { parseArgs } from 'node:util';

export const FAULTS = {
  none: 'nothing',
  kill9: 'the node is killed and started again, 20 times per 10,000 notifications',
  failpoint:
    'the node ends between two steps of a notification: append, send, write, commit, and of an acknowledgement',
  'redis-restart': 'Redis is killed and started again, 10 times',
  'redis-stop': 'Redis hangs for 30 s',
  'pg-kill': 'PostgreSQL is killed and started again, 10 times',
  'pg-stop': 'PostgreSQL hangs for 30 s',
  'slow-store': 'the store answers late, and three times not at all for longer than Ara waits',
} as const;

export type FaultName = keyof typeof FAULTS;
export type StoreName = 'redis' | 'postgres' | 'embedded';
export type Fsync = 'always' | 'everysec';

export interface AuditOptions {
  readonly fault: FaultName;
  readonly store: StoreName;
  readonly n: number;
  readonly seed: number;
  readonly hasAcks: boolean;
  readonly fsync: Fsync;
  readonly perSecond: number;
  /** How often the fault happens; as often as it says unless told. */
  readonly times: number | undefined;
  /** Length of a hang. */
  readonly hangMs: number;
}

export const HELP = `Drives a real node, breaks something, and compares what was accepted with what arrived.

  npm run audit -- --fault kill9 --n 10000 --seed 7

  --fault <name>   ${Object.entries(FAULTS)
    .map(([name, what]) => `${name.padEnd(14)} ${what}`)
    .join('\n                   ')}
  --store <name>   redis, postgres (default, but for faults of Redis), embedded
  --ack on|off     whether clients acknowledge (default on)
  --n <count>      notifications to post (default 10000)
  --seed <number>  decides everything that is planned (default 7)
  --rate <number>  notifications per second (default 300)
  --times <count>  how often the fault happens
  --hang <seconds> length of a hang (default 30)
  --fsync <when>   Redis' appendfsync: always (default), everysec

Needs a redis-server, or a PostgreSQL, of the machine; embedded needs neither. The result is one JSON object on one line;
the exit code is 0 when nothing was wrong, 1 when something was, 2 when the audit could not be made.`;

/** Throws an Error that is meant for the operator; undefined when only help is wanted. */
export function parseOptions(args: readonly string[]): AuditOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      fault: { type: 'string', default: 'none' },
      store: { type: 'string' },
      ack: { type: 'string', default: 'on' },
      n: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '7' },
      rate: { type: 'string', default: '300' },
      times: { type: 'string' },
      hang: { type: 'string', default: '30' },
      fsync: { type: 'string', default: 'always' },
    },
  });
  if (values.help) return undefined;
  const fault = oneOf('fault', values.fault, Object.keys(FAULTS) as FaultName[]);
  const isOfRedis = fault.startsWith('redis-');
  const store = oneOf('store', values.store ?? (isOfRedis ? 'redis' : 'postgres'), ['redis', 'postgres', 'embedded']);
  const fits = isOfRedis ? store === 'redis' : fault.startsWith('pg-') ? store !== 'redis' : true;
  if (!fits) throw new Error(`--fault ${fault} is none of --store ${store}`);
  if (fault === 'slow-store' && store === 'embedded')
    throw new Error('Nothing stands between Ara and an embedded store');
  return {
    fault,
    store,
    hasAcks: oneOf('ack', values.ack, ['on', 'off']) === 'on',
    fsync: oneOf('fsync', values.fsync, ['always', 'everysec']),
    n: positive('n', values.n),
    seed: positive('seed', values.seed),
    perSecond: positive('rate', values.rate),
    times: values.times === undefined ? undefined : positive('times', values.times),
    hangMs: positive('hang', values.hang) * 1000,
  };
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
