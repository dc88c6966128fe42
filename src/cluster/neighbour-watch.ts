import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { RedisScript } from '../redis-ha/redis-script';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import { type Instance, newInstance, nodeOf } from './instance';
import { membersKey } from './membership';

const LOOK_EVERY_MS = 5_000;
const LIFE_MS = 20_000;
const WARN_EVERY_MS = 600_000;
const BEAT = RedisScript.fromFiles(__dirname, 'membership-beat.lua');

/**
 * Warns when this node is on its own, but not alone: another one works with the same Redis and prefix, so that triggers
 * are taken twice and users of one are not reached from the other. Asks only a Redis that others have connected to.
 */
@Injectable()
export class NeighbourWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly warnings: RepeatedWarnings;
  readonly #instance: Instance;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly redis: RedisHaService,
    private readonly config: AraConfig,
    private readonly clock: Clock,
  ) {
    this.warnings = new RepeatedWarnings(new Logger('Cluster'), clock, WARN_EVERY_MS);
    this.#instance = newInstance(config.cluster.nodeId);
  }

  onApplicationBootstrap(): void {
    if (this.config.cluster.enabled) return;
    this.#timer = setInterval(() => {
      // What cannot be asked now is asked the next time.
      this.look().catch(() => undefined);
    }, LOOK_EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  private async look(): Promise<void> {
    if (!this.redis.health().connected) return;
    const { sessionPrefix } = this.config.cluster;
    const [singles, members] = await this.redis.run('neighbour_watch', (redis) =>
      Promise.all([
        BEAT.run(redis, [`${sessionPrefix}:{nodes}:single`], [this.#instance, LIFE_MS]),
        redis.zrange(membersKey(sessionPrefix), this.clock.now(), '+inf', 'BYSCORE'),
      ]),
    );
    const [, , , living] = singles as [number, number, Instance[], Instance[]];
    const other = [...living, ...(members as Instance[])].find((one) => one !== this.#instance);
    if (other === undefined) return;
    this.warnings.warn(
      'neighbour',
      `Another Ara (${nodeOf(other)}) works with the same Redis, but this one is on its own: each takes every trigger, ` +
        'and neither reaches the users of the other. Set CLUSTER_ENABLED=true on both, or give one its own Redis',
    );
  }
}
