import { Injectable, Logger } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import type { NodeId } from '../notification/ids';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { RedisScript } from '../redis-ha/redis-script';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import { type Instance, newInstance, nodeOf } from './instance';

const BEAT_EVERY_MS = 2_000;
/** With the time between two beats of those who look, no dead node counts as alive for more than 10 s. */
const LIFE_MS = 8_000;
const BEAT = RedisScript.fromFiles(__dirname, 'membership-beat.lua');

/** Keeps this node among the living of its cluster, once it has joined, and knows who the others are. */
@Injectable()
export class Membership {
  readonly instance: Instance;
  private readonly warnings: RepeatedWarnings;
  readonly #key: string;
  #others: ReadonlyMap<Instance, NodeId> = new Map();
  /** Redis' clock minus this node's. */
  #offsetMs = 0;
  #hasJoined = false;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  readonly #onForgotten: (() => void)[] = [];
  readonly #onDeath: ((instance: Instance) => void)[] = [];

  constructor(
    private readonly redis: RedisHaService,
    private readonly clock: Clock,
    config: AraConfig,
  ) {
    this.warnings = new RepeatedWarnings(new Logger('Cluster'), clock);
    this.instance = newInstance(config.cluster.nodeId);
    this.#key = membersKey(config.cluster.sessionPrefix);
  }

  /** A cluster stands on Redis: rejects when it cannot be reached for as long as a start may retry. */
  async join(): Promise<void> {
    await this.redis.waitUntilReady();
    await this.beat();
    this.#timer = setInterval(() => {
      this.beat().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.warnings.warn('beat', `The other nodes take this one for dead until Redis is back: ${reason}`);
      });
    }, BEAT_EVERY_MS).unref();
  }

  /** Now, by the clock that all nodes share, in milliseconds. */
  get now(): number {
    return this.clock.now() + this.#offsetMs;
  }

  /** The other living instances, as known by the last beat; asks when one that was `seen` is not among them. */
  async others(seen: Iterable<Instance> = []): Promise<ReadonlyMap<Instance, NodeId>> {
    for (const instance of seen) {
      if (instance === this.instance || this.#others.has(instance)) continue;
      await this.beat();
      break;
    }
    return this.#others;
  }

  /** The same, asked now. */
  async othersNow(): Promise<ReadonlyMap<Instance, NodeId>> {
    await this.beat();
    return this.#others;
  }

  /** The others had taken this node for dead, or Redis lost what it knew. Must not throw. */
  onForgotten(hook: () => void): void {
    this.#onForgotten.push(hook);
  }

  /** An instance has died, and this node is the one to clean up. Must not throw. */
  onDeath(hook: (instance: Instance) => void): void {
    this.#onDeath.push(hook);
  }

  /** The others know at once that this instance is no more. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.redis.run('cluster_leave', (redis) => redis.zrem(this.#key, this.instance));
  }

  private beat(): Promise<void> {
    return (this.#beating ??= this.beatOnce().finally(() => (this.#beating = undefined)));
  }

  private async beatOnce(): Promise<void> {
    const answer = await this.redis.run('cluster_beat', (redis) =>
      BEAT.run(redis, [this.#key], [this.instance, LIFE_MS]),
    );
    const [now, isNew, dead, living] = answer as [number, number, Instance[], Instance[]];
    this.#offsetMs = now - this.clock.now();
    this.#others = new Map(living.filter((one) => one !== this.instance).map((one) => [one, nodeOf(one)] as const));
    if (isNew === 1 && this.#hasJoined) for (const hook of this.#onForgotten) hook();
    this.#hasJoined = true;
    for (const one of dead) if (one !== this.instance) for (const hook of this.#onDeath) hook(one);
  }
}

export function membersKey(prefix: string): string {
  return `${prefix}:{nodes}:living`;
}
