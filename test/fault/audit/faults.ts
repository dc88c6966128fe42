import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../../support/ara-process';
import { until } from '../../support/until';
import type { Backends } from './backends';
import type { Ledger } from './ledger';
import type { Node } from './node';
import type { Nodes } from './nodes';
import type { AuditOptions, FaultName } from './options';
import type { Poster } from './poster';
import type { Random } from './random';
import type { AuditStore } from './stores';

/** What a fault may touch. */
export interface Scene {
  readonly options: AuditOptions;
  readonly nodes: Nodes;
  readonly backends: Backends;
  readonly poster: Poster;
  readonly ledger: Ledger;
  readonly random: Random;
  /** How long the service took, each time, to accept something durable after the store was back, in ms. */
  readonly recoveries: number[];
  readonly say: (what: string) => void;
}

export interface Fault {
  readonly times: (options: AuditOptions) => number;
  /** Whether the store is out of reach at times, so that the service may refuse, or send what it could not store. */
  readonly breaksStore: boolean;
  /** Where notifications come in; REST unless told. */
  readonly door?: 'channels' | 'stream';
  /** Strikes follow each other at once; else they are spread over the posts. */
  readonly comesByItself?: true;
  /** For the first start of the first node. */
  readonly env?: (options: AuditOptions, random: Random) => Env;
  strike(scene: Scene, number: number): Promise<void>;
}

/** Two rounds of the sweep that looks for what was withheld. */
const RECOVERY_MS = 9000;
const MAX_OUTAGE_MS = 60_000;
const DOWN_MS = 500;
/** Longer than STORE_TIMEOUT_MS. */
const STALL_MS = 1500;
const HANG_MS = 30_000;
/** Longer than a node counts as living without a word. */
const CUT_MS = 15_000;
/** The next node is replaced when most of those whom the last one sent away are back. */
const RETURN_MS = 12_000;
const STEPS = ['append', 'send', 'write', 'commit', 'settle'] as const;
const PRELOAD = join(__dirname, 'failpoint.cjs');

const times = (count: number) => (options: AuditOptions) => options.times ?? count;
const perPosts = (count: number) => (options: AuditOptions) =>
  options.times ?? Math.max(1, Math.round((options.n * count) / 10_000));

export const FAULT: Readonly<Record<FaultName, Fault>> = {
  none: { times: () => 0, breaksStore: false, strike: () => Promise.resolve() },
  kill9: { times: perPosts(20), breaksStore: false, strike: kill },
  failpoint: {
    times: perPosts(20),
    breaksStore: false,
    comesByItself: true,
    env: (options, random) => failpoint(options, random, 0),
    strike: async ({ nodes, options, random, poster, say }, number) => {
      const node = nodes.first;
      const died = await Promise.race([node.ara.exited.then(() => true), poster.done.then(() => false)]);
      const passed = node.ara.env['AUDIT_FAILPOINT'] ?? '';
      say(`${passed} ${died ? 'ended the node' : 'was not passed'}`);
      const isLast = !died || number + 1 === perPosts(20)(options);
      // One that was not passed by now would be, later, when nobody starts the node again.
      await node.crash(isLast ? { NODE_OPTIONS: '', AUDIT_FAILPOINT: '' } : failpoint(options, random, number + 1));
    },
  },
  'redis-restart': { times: times(10), breaksStore: true, strike: (scene) => restart(scene, scene.backends.redis) },
  'redis-stop': { times: times(1), breaksStore: true, strike: (scene) => hang(scene, scene.backends.redis) },
  'pg-kill': { times: times(10), breaksStore: true, strike: (scene) => restart(scene, scene.backends.store) },
  'pg-stop': { times: times(1), breaksStore: true, strike: (scene) => hang(scene, scene.backends.store) },
  'slow-store': {
    times: times(3),
    breaksStore: true,
    strike: (scene) =>
      outage(scene, () => {
        scene.backends.proxy?.stall(STALL_MS);
        return sleep(STALL_MS);
      }),
  },
  rolling: {
    times: ({ times: rounds = 1, nodes }) => rounds * nodes,
    breaksStore: false,
    comesByItself: true,
    strike: async ({ nodes, say, poster, options }, number) => {
      // The first is replaced when there is something to lose, the others when the herd of the one before is back.
      if (number === 0) await poster.reached(Math.floor(options.n / 10));
      else await Promise.race([sleep(RETURN_MS), poster.done]);
      const node = nodes.all[number % nodes.all.length];
      await node?.replace();
      say(`node ${(number % nodes.all.length) + 1} was replaced: ${JSON.stringify(node?.endings.at(-1))}`);
    },
  },
  failover: {
    times: times(1),
    breaksStore: true,
    strike: (scene) =>
      outage(scene, async () => {
        const killedAt = performance.now();
        await scene.backends.store.kill();
        scene.say(`the replica became the master after ${Math.round(performance.now() - killedAt)} ms`);
        await scene.backends.store.restart();
      }),
  },
  partition: {
    times: times(1),
    breaksStore: true,
    strike: (scene) =>
      outage(scene, async () => {
        scene.backends.network?.cut();
        await sleep(scene.options.hangMs ?? CUT_MS);
        scene.backends.network?.heal();
      }),
  },
  triggers: { times: times(0), breaksStore: false, door: 'channels', strike: kill },
  ingest: { times: times(5), breaksStore: false, door: 'stream', strike: kill },
};

/** Any of the nodes, as the seed says. */
function kill({ nodes, random }: Scene): Promise<void> {
  const victim: Node | undefined = nodes.all[random.between(0, nodes.all.length - 1)];
  return victim?.crash() ?? Promise.resolve();
}

/** Each step in turn, before and after it; the seed says which is the first. */
function failpoint(options: AuditOptions, random: Random, number: number): Env {
  const steps = options.hasAcks ? STEPS : STEPS.filter((step) => step !== 'settle');
  const step = steps[(Math.floor(number / 2) + options.seed) % steps.length] ?? 'append';
  const perCrash = options.n / options.nodes / perPosts(20)(options);
  const nth = Math.ceil(perCrash * (0.05 + 0.35 * random.next()));
  return {
    NODE_OPTIONS: `--require ${PRELOAD}`,
    AUDIT_FAILPOINT: `${step}:${number % 2 === 0 ? 'before' : 'after'}:${nth}`,
  };
}

function restart(scene: Scene, store: AuditStore): Promise<void> {
  return outage(scene, async () => {
    await store.kill();
    await sleep(DOWN_MS);
    await store.restart();
  });
}

function hang(scene: Scene, store: AuditStore): Promise<void> {
  return outage(scene, async () => {
    store.pause();
    await sleep(scene.options.hangMs ?? HANG_MS);
    store.resume();
  });
}

/** Lasts until every node accepts something durable again, and a while longer for what had been withheld. */
async function outage({ ledger, nodes, recoveries, poster }: Scene, during: () => Promise<void>): Promise<void> {
  const outage = { from: performance.now(), until: Number.POSITIVE_INFINITY };
  ledger.outages.push(outage);
  await during();
  const isBackAt = performance.now();
  const areBack = (): boolean => nodes.all.every(({ lastDurableAt }) => lastDurableAt > isBackAt);
  await until('it is durable again', () => areBack() || poster.isDone, MAX_OUTAGE_MS);
  if (areBack()) recoveries.push(Math.round(performance.now() - isBackAt));
  outage.until = performance.now() + RECOVERY_MS;
}
