import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../../support/ara-process';
import { until } from '../../support/until';
import type { Ledger } from './ledger';
import type { Node } from './node';
import type { AuditOptions, FaultName } from './options';
import type { Poster } from './poster';
import type { Random } from './random';
import type { SlowProxy } from './slow-proxy';
import type { AuditStore } from './stores';

/** What a fault may touch. */
export interface Scene {
  readonly options: AuditOptions;
  readonly node: Node;
  readonly store: AuditStore;
  readonly proxy: SlowProxy | undefined;
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
  readonly breaksNode: boolean;
  /** Strikes follow each other at once; else they are spread over the posts. */
  readonly comesByItself?: true;
  /** For the first start of the node. */
  readonly env?: (options: AuditOptions, random: Random) => Env;
  strike(scene: Scene, number: number): Promise<void>;
}

/** Two rounds of the sweep that looks for what was withheld. */
const RECOVERY_MS = 9000;
const MAX_OUTAGE_MS = 60_000;
const DOWN_MS = 500;
/** Longer than STORE_TIMEOUT_MS. */
const STALL_MS = 1500;
const STEPS = ['append', 'send', 'write', 'commit', 'settle'] as const;
const PRELOAD = join(__dirname, 'failpoint.cjs');

const times = (count: number) => (options: AuditOptions) => options.times ?? count;
const perPosts = (count: number) => (options: AuditOptions) =>
  options.times ?? Math.max(1, Math.round((options.n * count) / 10_000));

export const FAULT: Readonly<Record<FaultName, Fault>> = {
  none: { times: () => 0, breaksStore: false, breaksNode: false, strike: () => Promise.resolve() },
  kill9: {
    times: perPosts(20),
    breaksStore: false,
    breaksNode: true,
    strike: ({ node }) => node.crash(),
  },
  failpoint: {
    times: perPosts(20),
    breaksStore: false,
    breaksNode: true,
    comesByItself: true,
    env: (options, random) => failpoint(options, random, 0),
    strike: async ({ node, options, random, poster, say }, number) => {
      const died = await Promise.race([node.ara.exited.then(() => true), poster.done.then(() => false)]);
      const passed = node.ara.env['AUDIT_FAILPOINT'] ?? '';
      say(`${passed} ${died ? 'ended the node' : 'was not passed'}`);
      const isLast = !died || number + 1 === perPosts(20)(options);
      // One that was not passed by now would be, later, when nobody starts the node again.
      await node.crash(isLast ? { NODE_OPTIONS: '', AUDIT_FAILPOINT: '' } : failpoint(options, random, number + 1));
    },
  },
  'redis-restart': { times: times(10), breaksStore: true, breaksNode: false, strike: restart },
  'pg-kill': { times: times(10), breaksStore: true, breaksNode: false, strike: restart },
  'redis-stop': { times: times(1), breaksStore: true, breaksNode: false, strike: hang },
  'pg-stop': { times: times(1), breaksStore: true, breaksNode: false, strike: hang },
  'slow-store': {
    times: times(3),
    breaksStore: true,
    breaksNode: false,
    strike: (scene) =>
      outage(scene, () => {
        scene.proxy?.stall(STALL_MS);
        return sleep(STALL_MS);
      }),
  },
};

/** Each step in turn, before and after it; the seed says which is the first. */
function failpoint(options: AuditOptions, random: Random, number: number): Env {
  const steps = options.hasAcks ? STEPS : STEPS.filter((step) => step !== 'settle');
  const step = steps[(Math.floor(number / 2) + options.seed) % steps.length] ?? 'append';
  const perCrash = options.n / perPosts(20)(options);
  const nth = Math.ceil(perCrash * (0.05 + 0.35 * random.next()));
  return {
    NODE_OPTIONS: `--require ${PRELOAD}`,
    AUDIT_FAILPOINT: `${step}:${number % 2 === 0 ? 'before' : 'after'}:${nth}`,
  };
}

function restart(scene: Scene): Promise<void> {
  return outage(scene, async () => {
    await scene.store.kill();
    await sleep(DOWN_MS);
    await scene.store.restart();
  });
}

function hang(scene: Scene): Promise<void> {
  return outage(scene, async () => {
    scene.store.pause();
    await sleep(scene.options.hangMs);
    scene.store.resume();
  });
}

/** Lasts until something durable is accepted again, and a while longer for what it had withheld. */
async function outage({ ledger, recoveries, poster }: Scene, during: () => Promise<void>): Promise<void> {
  const outage = { from: performance.now(), until: Number.POSITIVE_INFINITY };
  ledger.outages.push(outage);
  await during();
  const isBackAt = performance.now();
  await until('it is durable again', () => ledger.lastDurableAt > isBackAt || poster.isDone, MAX_OUTAGE_MS);
  if (ledger.lastDurableAt > isBackAt) recoveries.push(Math.round(ledger.lastDurableAt - isBackAt));
  outage.until = performance.now() + RECOVERY_MS;
}
