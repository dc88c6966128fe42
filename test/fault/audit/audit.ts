import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until';
import { Device } from './device';
import { FAULT, type Fault, type Scene } from './faults';
import { type Figures, Ledger } from './ledger';
import { Node } from './node';
import type { AuditOptions } from './options';
import { type Plan, planOf } from './plan';
import { Poster } from './poster';
import { Random } from './random';
import { SlowProxy } from './slow-proxy';
import { startStore } from './stores';

export interface Verdict extends Figures {
  readonly ok: boolean;
  readonly fault: string;
  /** How often it happened. */
  readonly times: number;
  readonly store: string;
  readonly ack: boolean;
  readonly n: number;
  readonly seed: number;
  readonly users: number;
  readonly queue_left: number;
  /** Counters that differ from the ledger: what the node says, and what the ledger says. */
  readonly counters_off: Readonly<Record<string, readonly [number, number]>>;
  /** The longest time from the store's return to the next durable answer; null where it never went away. */
  readonly slowest_recovery_ms: number | null;
  readonly seconds: number;
  readonly examples: readonly string[];
}

/** Of the repeats that a fault may cost. */
const MAX_DUPLICATE_RATIO = 0.05;
const MAX_DELIVERIES = 5;
const CONCURRENCY = 64;
const DRAIN_MS = 90_000;
/** So long the queue must look empty: a gauge whose store is slow shows an old value. Time, too, for what should not come any more. */
const SETTLED_MS = 2000;
const ASK_EVERY_MS = 200;
const SLOW_MS = [1, 25] as const;

/** Runs one audit from an empty store to a verdict. Rejects when it could not be made. */
export async function audit(options: AuditOptions, say: (what: string) => void = () => undefined): Promise<Verdict> {
  const startedAt = performance.now();
  const fault = FAULT[options.fault];
  const random = new Random(options.seed + 1);
  const plan = planOf(options.n, options.seed, options.hasAcks);
  const store = await startStore(options.store, options.fsync);
  const isSlow = options.fault === 'slow-store' && store.port !== undefined;
  const proxy = isSlow ? await SlowProxy.to(store.port, () => random.between(...SLOW_MS)) : undefined;
  let node: Node | undefined;
  const devices: Device[] = [];
  try {
    node = await Node.start({
      RUN_MODE: 'development',
      LOG_LEVEL: 'warn',
      WEBSOCKET_MAX_CONNECTIONS: '0',
      WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0',
      QUEUE_ENABLED: 'true',
      // Whoever is away for the whole audit misses nothing because of a limit.
      QUEUE_MAX_SIZE_PER_USER: String(options.n),
      QUEUE_MAX_DELIVERIES: String(MAX_DELIVERIES),
      ACK_ENABLED: String(options.hasAcks),
      ...store.env(proxy?.port),
      ...fault.env?.(options, random),
    });
    const ledger = new Ledger(MAX_DELIVERIES);
    const poster = new Poster(node, ledger, {
      perSecond: options.perSecond,
      concurrency: CONCURRENCY,
      mayLoseStore: fault.breaksStore,
    });
    for (const { name, devices: plans } of plan.users) {
      for (const one of plans) {
        devices.push(new Device(name, one, devices.length, node, ledger, random, options.hasAcks));
      }
    }
    const scene: Scene = { options, node, store, proxy, poster, ledger, random, recoveries: [], say };
    const times = await play(scene, plan, fault, devices);
    await drained(scene);
    const found = await verdict(scene, plan, fault, times, startedAt);
    if (!found.ok) say(`what the node said last:\n${node.ara.output.slice(-4000)}`);
    return found;
  } finally {
    await Promise.all(devices.map((device) => device.stop()));
    await node?.ara.stop();
    proxy?.close();
    await store.close();
  }
}

/** Posts while the fault happens; then everybody comes home. Says how often it happened. */
async function play(scene: Scene, plan: Plan, fault: Fault, devices: readonly Device[]): Promise<number> {
  const { options, node, poster, ledger, say } = scene;
  for (const device of devices) device.start();
  await Promise.all(devices.filter(({ isAbsent }) => !isAbsent).map(({ connected }) => connected));
  say(`${devices.length} devices of ${plan.users.length} users; ${options.n} notifications to post`);
  const progress = setInterval(() => {
    say(`${poster.posted} posted, ${ledger.arrivals} arrivals, the node died ${node.deaths} times`);
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
async function drained({ node, ledger }: Scene): Promise<void> {
  let emptySince = Number.POSITIVE_INFINITY;
  const isDone = async (): Promise<boolean> => {
    await sleep(ASK_EVERY_MS);
    const isEmpty = ledger.isFulfilled && (await queueSize(node)) === 0;
    emptySince = isEmpty ? Math.min(emptySince, performance.now()) : Number.POSITIVE_INFINITY;
    return performance.now() - emptySince >= SETTLED_MS;
  };
  await until('everything has arrived', isDone, DRAIN_MS).catch(() => undefined);
}

async function queueSize(node: Node): Promise<number> {
  return (await node.counters()).get('ara_queue_size_total') ?? Number.NaN;
}

async function verdict(scene: Scene, plan: Plan, fault: Fault, times: number, startedAt: number): Promise<Verdict> {
  const { options, node, ledger, recoveries } = scene;
  const figures = ledger.figures();
  const off = fault.breaksNode ? {} : await countersOff(scene, figures, fault);
  const queueLeft = await queueSize(node);
  const { lost, not_redelivered: kept, foreign, id_conflicts: ids, twice_on_a_connection: twice, inversions } = figures;
  const wrong = lost + kept + foreign + ids + twice + inversions + queueLeft + Object.keys(off).length;
  return {
    ok: wrong === 0 && figures.duplicate_ratio <= MAX_DUPLICATE_RATIO && figures.accepted.durable > 0,
    fault: options.fault,
    times: fault.breaksNode ? node.deaths : times,
    store: options.store === 'redis' ? `redis (appendfsync ${options.fsync})` : options.store,
    ack: options.hasAcks,
    n: options.n,
    seed: options.seed,
    users: plan.users.length,
    ...figures,
    queue_left: queueLeft,
    counters_off: off,
    slowest_recovery_ms: recoveries.length === 0 ? null : Math.max(...recoveries),
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    examples: ledger.examples,
  };
}

/** While the store is away, who acknowledged is not always told, and figures of acknowledgements may be incomplete. */
async function countersOff(
  { node, ledger }: Scene,
  { unanswered }: Figures,
  fault: Fault,
): Promise<Record<string, readonly [number, number]>> {
  const counters = await node.counters();
  const expected: Record<string, number> = {};
  if (unanswered === 0) {
    expected['ara_messages_sent_total'] = ledger.sent;
    expected['ara_queue_enqueued_total'] = ledger.queued;
  }
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
