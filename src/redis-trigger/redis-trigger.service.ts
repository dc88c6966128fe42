import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import type { RedisSubscription } from '../redis-ha/redis-subscription';
import { channelNames, firstMatch } from './channel-names';
import { Occurrences } from './occurrences';
import { TriggerIntake, type TriggerOrigin } from './trigger-intake';

/**
 * Hears the Pub/Sub channels of REDIS_CHANNELS from the moment the service is up until it drains (docs/redis.md). Redis
 * may come and go meanwhile, and need not be there at all.
 */
@Injectable()
export class RedisTriggerService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('RedisTrigger');
  #subscription: RedisSubscription | undefined;

  constructor(
    private readonly redis: RedisHaService,
    private readonly intake: TriggerIntake,
    private readonly occurrences: Occurrences,
    private readonly config: AraConfig,
  ) {}

  onApplicationBootstrap(): void {
    const names = channelNames(this.config.redis.channels);
    if (names.exact.length + names.patterns.length === 0) return;
    const subscription = this.redis.subscription('triggers');
    this.#subscription = subscription;
    subscription.onReconnected(() => {
      if (this.config.cluster.enabled) this.occurrences.begin();
    });
    const isFirst = firstMatch(names);
    const handlerOf = (name: string) => (text: string, channel: string) => {
      if (isFirst(name, channel)) void this.intake.take(text, this.originOf(channel));
    };
    const subscribed = [
      ...names.exact.map((name) => subscription.subscribe(name, handlerOf(name))),
      ...names.patterns.map((name) => subscription.psubscribe(name, handlerOf(name))),
    ];
    Promise.all(subscribed).then(
      () => {
        if (this.config.cluster.enabled) this.occurrences.listening();
        this.logger.log(`Listening to ${[...names.exact, ...names.patterns].join(', ')}`);
      },
      (error: unknown) => {
        if (this.#subscription === undefined) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.logger.error(`Redis does not let this node listen to all of REDIS_CHANNELS: ${reason}`);
      },
    );
  }

  /** What is published from here on is left to the other nodes. */
  beforeApplicationShutdown(): void {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    subscription?.close();
  }

  private originOf(channel: string): TriggerOrigin {
    return {
      name: channel,
      kind: 'channel',
      occurrence: (text) => (this.config.cluster.enabled ? this.occurrences.next(channel, text) : undefined),
    };
  }
}
