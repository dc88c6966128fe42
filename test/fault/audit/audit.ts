import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../../support/ara-process';
import { TEST_CLUSTER_SECRET } from '../../support/test-cluster';
import { until } from '../../support/until';
import { Backends } from './backends';
import { Device } from './device';
import type { Door } from './door';
import { FAULT, type Fault, type Scene } from './faults';
import { Herd } from './herd';
import { type Figures, Ledger } from './ledger';
import { Nodes } from './nodes';
import type { AuditOptions } from './options';
import { type Plan, planOf } from './plan';
import { Poster } from './poster';
import { Random } from './random';
import { RedisDoor } from './redis-door';
import { RestDoor } from './rest-door';

export interface Verdict extends Figures {
  readonly ok: boolean;
  readonly fault: string;
  /** How often it happened. */
  readonly times: number;
  readonly nodes: number;
  readonly store: string;
  readonly ack: boolean;
  readonly n: number;
  readonly seed: number;
  readonly users: number;
  /** Devices that were there from the start. */
  readonly connections: number;
  readonly queue_left: number;
  /** Counters that differ from the ledger: what the nodes say, and what the ledger says. */
  readonly counters_off: Readonly<Record<string, readonly [number, number]>>;
  /** The longest time from the store's return to the next durable answer of the last node; null where it never went away. */
  readonly slowest_recovery_ms: number | null;
  /** Connections that were told of the end of their node before it closed them; that were not; that just ended. */
  readonly told: number;
  readonly untold: number;
  readonly cut: number;
  /** Processes that were asked to end: all with exit code 0? The slowest of them, null where none was asked. */
  readonly unclean_exits: number;
  readonly slowest_exit_ms: number | null;
  /** The most devices that came back within any one second. */
  readonly max_returns_per_second: number;
  /** Requests without an answer, by the code of what happened to them. */
  readonly failures: Readonly<Record<string, number>>;
  /** Triggers that were published again under the same name. */
  readonly repeated: number;
  readonly seconds: number;
  readonly examples: readonly string[];
}

/** Of the repeats that a fault may cost. */
const MAX_DUPLICATE_RATIO = 0.05;
/** Of what is durable, after Redis has been started again. */
const MAX_RECOVERY_MS = 5000;
const MAX_DELIVERIES = 5;
const CONCURRENCY = 64;
/** Longer than an entry of a stream waits for a node that has died. */
const DRAIN_MS = 75_000;
/** So long the queue must look empty: a gauge whose store is slow shows an old value. Time, too, for what should not come any more. */
const SETTLED_MS = 2000;
const ASK_EVERY_MS = 200;
const INGEST_STREAM = 'ara:ingest';

/** Runs one audit from an empty store to a verdict. Rejects when it could not be made. */
export async function audit(options: AuditOptions, say: (what: string) => void = () => undefined): Promise<Verdict> {
  const startedAt = performance.now();
  const fault = FAULT[options.fault];
  const random = new Random(options.seed + 1);
  const plan = planOf(options.n, options.seed, options.hasAcks, options.users);
  // In the order in which they were made.
  const closing: (() => Promise<void> | void)[] = [];
  try {
    const backends = await Backends.start(options, random);
    closing.push(() => backends.close());
    const nodes = await Nodes.start(options.nodes, (number) => ({
      env: {
        ...serviceEnv(options, number),
        ...backends.envOf(number),
        ...(number === 0 ? fault.env?.(options, random) : {}),
      },
      options: { prefix: backends.prefixOf(number) },
    }));
    closing.push(() => nodes.stop());
    const ledger = new Ledger(MAX_DELIVERIES, fault.door === undefined, options.nodes > 1);
    const herd = new Herd();
    const door = await openDoor(options, fault, nodes);
    const poster = new Poster(door, ledger, {
      perSecond: options.perSecond,
      concurrency: CONCURRENCY,
      someoneIsUp: () => Promise.any(nodes.all.map(({ up }) => up)),
    });
    const devices = plan.users
      .flatMap(({ name, devices: plans }) => plans.map((one) => ({ name, one })))
      .map(({ name, one }, number) => new Device(name, one, number, nodes, ledger, herd, random, options.hasAcks));
    closing.push(async () => {
      await Promise.all(devices.map((device) => device.stop()));
    });
    const scene: Scene = { options, nodes, backends, poster, ledger, random, recoveries: [], say };
    const times = await play(scene, plan, fault, devices);
    await drained(scene);
    const found = await verdict(scene, { plan, fault, times, startedAt, herd, door });
    if (!found.ok) for (const { ara } of nodes.all) say(`what a node said last:\n${ara.output.slice(-4000)}`);
    return found;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

function serviceEnv({ fault, n, nodes, hasAcks }: AuditOptions, number: number): Env {
  return {
    RUN_MODE: 'development',
    LOG_LEVEL: 'warn',
    WEBSOCKET_MAX_CONNECTIONS: '0',
    WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0',
    QUEUE_ENABLED: 'true',
    // Whoever is away for the whole audit misses nothing because of a limit.
    QUEUE_MAX_SIZE_PER_USER: String(n),
    QUEUE_MAX_DELIVERIES: String(MAX_DELIVERIES),
    ACK_ENABLED: String(hasAcks),
    // A publisher is not told of what is dropped because a busy disk was late, so that it must not happen here.
    ...(FAULT[fault].door !== undefined && { STORE_TIMEOUT_MS: '5000' }),
    ...(FAULT[fault].door === 'stream' && { REDIS_INGEST_STREAM: INGEST_STREAM }),
    ...(nodes > 1 && {
      CLUSTER_ENABLED: 'true',
      CLUSTER_SECRET: TEST_CLUSTER_SECRET,
      CLUSTER_NODE_ID: `node-${number + 1}`,
    }),
  };
}

async function openDoor(options: AuditOptions, fault: Fault, nodes: Nodes): Promise<Door> {
  if (fault.door === undefined) return new RestDoor(nodes);
  const url = nodes.first.ara.env['REDIS_URL'] ?? '';
  const door = new RedisDoor(url, fault.door === 'stream' ? INGEST_STREAM : undefined);
  await door.opened(options.nodes);
  return door;
}

/** Posts while the fault happens; then everybody comes home. Says how often it happened. */
async function play(scene: Scene, plan: Plan, fault: Fault, devices: readonly Device[]): Promise<number> {
  const { options, nodes, poster, ledger, say } = scene;
  for (const device of devices) device.start();
  await Promise.all(devices.filter(({ isAbsent }) => !isAbsent).map(({ connected }) => connected));
  say(`${devices.length} devices of ${plan.users.length} users; ${options.n} notifications to post`);
  const progress = setInterval(() => {
    say(`${poster.posted} posted, ${ledger.arrivals} arrivals, nodes died ${nodes.deaths} times`);
  }, 5000);
  const times = fault.times(options);
  const strikes = async (): Promise<void> => {
    for (let number = 0; number < times && !poster.isDone; number++) {
      if (fault.comesByItself !== true) await poster.reached(Math.floor((options.n * (number + 0.5)) / times));
      await fault.strike(scene, number);
    }
  };
  try {
    await Promise.all([poster.postAll(plan.requests), strikes()]);
  } finally {
    clearInterval(progress);
  }
  say('all posted; everybody comes home');
  ledger.isAtTheEnd = true;
  for (const device of devices) device.comeHome();
  return times;
}

/** Waits until all has arrived and the queue stays empty, or the time is up. */
async function drained({ nodes, ledger }: Scene): Promise<void> {
  let emptySince = Number.POSITIVE_INFINITY;
  const isDone = async (): Promise<boolean> => {
    await sleep(ASK_EVERY_MS);
    const isEmpty = ledger.isFulfilled && (await nodes.queueSize()) === 0;
    emptySince = isEmpty ? Math.min(emptySince, performance.now()) : Number.POSITIVE_INFINITY;
    return performance.now() - emptySince >= SETTLED_MS;
  };
  await until('everything has arrived', isDone, DRAIN_MS).catch(() => undefined);
}

interface Run {
  readonly plan: Plan;
  readonly fault: Fault;
  readonly times: number;
  readonly startedAt: number;
  readonly herd: Herd;
  readonly door: Door;
}

async function verdict(scene: Scene, run: Run): Promise<Verdict> {
  const { options, nodes, ledger, recoveries } = scene;
  const { plan, herd, door } = run;
  const figures = ledger.figures();
  const off = nodes.areUnbroken ? await countersOff(scene, figures, run) : {};
  const queueLeft = await nodes.queueSize();
  const endings = nodes.all.flatMap((node) => node.endings);
  const slowest = recoveries.length === 0 ? null : Math.max(...recoveries);
  const isCounted = options.fault === 'failover' && !options.waitsForReplica;
  const { not_redelivered: kept, foreign, id_conflicts: ids, twice_on_a_connection: twice, inversions } = figures;
  const missing = isCounted ? 0 : figures.lost + kept;
  const uncleanExits = endings.filter(({ code }) => code !== 0).length;
  const unannounced = options.fault === 'rolling' ? herd.untold + herd.cut : herd.untold;
  const isLate = options.fault === 'redis-restart' && (slowest ?? 0) > MAX_RECOVERY_MS;
  const wrong =
    missing + foreign + ids + twice + inversions + queueLeft + Object.keys(off).length + uncleanExits + unannounced;
  return {
    ok: wrong === 0 && !isLate && figures.duplicate_ratio <= MAX_DUPLICATE_RATIO && figures.accepted.durable > 0,
    fault: options.fault,
    times: nodes.deaths > 0 ? nodes.deaths : run.times,
    nodes: nodes.all.length,
    store: options.store === 'redis' ? `redis (appendfsync ${options.fsync})` : options.store,
    ack: options.hasAcks,
    n: options.n,
    seed: options.seed,
    users: plan.users.length,
    connections: plan.users.flatMap(({ devices }) => devices).filter(({ presence }) => presence !== 'absent').length,
    ...figures,
    queue_left: queueLeft,
    counters_off: off,
    slowest_recovery_ms: slowest,
    told: herd.told,
    untold: herd.untold,
    cut: herd.cut,
    unclean_exits: uncleanExits,
    slowest_exit_ms: endings.length === 0 ? null : Math.max(...endings.map(({ ms }) => ms)),
    max_returns_per_second: herd.maxReturnsPerSecond,
    failures: door instanceof RestDoor ? Object.fromEntries(door.failures) : {},
    repeated: door instanceof RedisDoor ? door.repeated : 0,
    seconds: Math.round((performance.now() - run.startedAt) / 100) / 10,
    examples: ledger.examples,
  };
}

/** While the store is away, who acknowledged is not always told, and figures of acknowledgements may be incomplete. */
async function countersOff(
  { nodes, ledger }: Scene,
  { unanswered }: Figures,
  { fault }: Run,
): Promise<Record<string, readonly [number, number]>> {
  const counters = await nodes.counters();
  const expected: Record<string, number> = {};
  // A node whose store answers too late cannot know that another one has stored a trigger, and sends it, too, under its id.
  const isLate = fault.door !== undefined && counters.get('ara_backend_errors_total') !== 0;
  if (unanswered === 0 && !isLate) expected['ara_messages_sent_total'] = ledger.sent;
  // Nobody tells a publisher what was queued.
  if (unanswered === 0 && fault.door === undefined) expected['ara_queue_enqueued_total'] = ledger.queued;
  if (!fault.breaksStore) {
    expected['ara_queue_dropped_total'] = 0;
    expected['ara_queue_expired_total'] = 0;
    const { acknowledged: least, acksUnanswered: unknown } = ledger;
    const received = counters.get('ara_ack_received_total') ?? Number.NaN;
    expected['ara_ack_received_total'] = Math.min(Math.max(received, least), least + unknown);
  }
  const differing = Object.entries(expected).filter(([name, value]) => counters.get(name) !== value);
  return Object.fromEntries(differing.map(([name, value]) => [name, [counters.get(name) ?? Number.NaN, value]]));
}
