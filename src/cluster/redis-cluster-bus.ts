import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import type { Eventual } from '../notification/eventual';
import { EVERY_TENANT, isStorable, usersOf } from '../notification/target';
import {
  type ClusterMessage,
  decodeClusterMessage,
  encodeClusterMessage,
  reachToWire,
  type WireReach,
} from '../protocol/cluster-message';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { redisUnavailable } from '../redis-ha/redis-error';
import type { RedisSubscription } from '../redis-ha/redis-subscription';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import {
  ClusterBus,
  type Interest,
  NOTHING_REACHED,
  type Reach,
  type RelayedDelivery,
  type RelayReport,
} from './cluster-bus';
import type { AnswerOf, QuestionOf, Subject } from './cluster-questions';
import { ClusterMetrics } from './cluster.metrics';
import { Exchange } from './exchange';
import { Membership } from './membership';
import { MessageSeal } from './message-seal';
import { ReceivedCopies } from './received-copies';
import { SessionDirectory } from './session-directory';
import { Topics } from './topics';

const ASK_WAIT_MS = 500;
/** Replies that came in time are waited for a little longer than they may take. */
const GRACE_MS = 50;

interface Retained {
  count: number;
  readonly isHeard: Promise<void>;
}

type Body = {
  [K in ClusterMessage['kind']]: Omit<Extract<ClusterMessage, { kind: K }>, 'from' | 'exchange'>;
}[ClusterMessage['kind']];

/**
 * Nodes speak over Redis Pub/Sub: a topic per tenant, per channel, for those who hear all channels, per node, and one for
 * all. A node subscribes to what its connections need, so a message goes to the nodes that it concerns; PUBLISH says
 * how many copies went out, and each is answered.
 */
@Injectable()
export class RedisClusterBus extends ClusterBus implements OnModuleInit {
  private readonly logger = new Logger('Cluster');
  private readonly warnings: RepeatedWarnings;
  readonly #subscription: RedisSubscription;
  readonly #topics: Topics;
  readonly #seal: MessageSeal;
  readonly #interests = new Map<string, Retained>();
  readonly #exchanges = new Map<number, Exchange>();
  readonly #copies: ReceivedCopies;
  readonly #answers = new Map<string, (question: never) => unknown>();
  #lastExchange = 0;
  #deliver: (delivery: RelayedDelivery) => Eventual<Reach> = () => NOTHING_REACHED;

  constructor(
    private readonly redis: RedisHaService,
    private readonly membership: Membership,
    private readonly directory: SessionDirectory,
    private readonly config: AraConfig,
    private readonly metrics: ClusterMetrics,
    clock: Clock,
  ) {
    super();
    this.warnings = new RepeatedWarnings(this.logger, clock);
    this.#subscription = redis.subscription('cluster');
    this.#topics = new Topics(config.cluster.routingChannel);
    this.#seal = new MessageSeal(config.cluster.secret);
    this.#copies = new ReceivedCopies(clock);
  }

  async onModuleInit(): Promise<void> {
    const { all } = this.#topics;
    const own = this.#topics.instance(this.membership.instance);
    await Promise.all([all, own].map((topic) => this.#subscription.subscribe(topic, this.#hear)));
  }

  onRelay(deliver: (delivery: RelayedDelivery) => Eventual<Reach>): void {
    this.#deliver = deliver;
  }

  onAsk<K extends Subject>(what: K, answer: (question: QuestionOf<K>) => AnswerOf<K>): void {
    this.#answers.set(what, answer);
  }

  async retain(interest: Interest): Promise<void> {
    const topic = this.#topics.of(interest);
    const retained = this.#interests.get(topic);
    if (retained !== undefined) {
      retained.count++;
      return within(this.config.store.timeoutMs, retained.isHeard);
    }
    const isHeard = this.#subscription.subscribe(topic, this.#hear);
    // Whoever waits for it is told; others hear of it by what does not arrive.
    isHeard.catch(() => undefined);
    this.#interests.set(topic, { count: 1, isHeard });
    return within(this.config.store.timeoutMs, isHeard);
  }

  release(interest: Interest): void {
    const topic = this.#topics.of(interest);
    const retained = this.#interests.get(topic);
    if (retained === undefined || --retained.count > 0) return;
    this.#interests.delete(topic);
    void this.#subscription.unsubscribe(topic);
  }

  async relay(delivery: RelayedDelivery): Promise<RelayReport> {
    const { deliveryWaitMs } = this.config.cluster;
    // Redis itself is waited for like a store, since what has not been published yet may be overtaken by what is posted
    // to another node after the answer. Should it take longer, the others are told all the same.
    const longestMs = Math.max(deliveryWaitMs, this.config.store.timeoutMs) + GRACE_MS;
    try {
      return await within(longestMs, this.tell(delivery, performance.now() + deliveryWaitMs));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.warnings.warn('relay', `The other nodes could not be told of a notification in time: ${reason}`);
      return { reach: NOTHING_REACHED, complete: false };
    }
  }

  async ask<K extends Subject>(what: K, question: QuestionOf<K>): Promise<readonly AnswerOf<K>[]> {
    try {
      const asked = this.exchange([this.#topics.all], { kind: 'ask', what, question }, performance.now() + ASK_WAIT_MS);
      const { answers } = await within(ASK_WAIT_MS + GRACE_MS, asked);
      return answers.filter((answer) => answer !== null) as AnswerOf<K>[];
    } catch {
      return [];
    }
  }

  /** @param until on the monotonic clock: so long it waits for replies */
  private async tell(delivery: RelayedDelivery, until: number): Promise<RelayReport> {
    const topics = await this.topicsOf(delivery);
    if (topics.length === 0) return { reach: NOTHING_REACHED, complete: true };
    const body: Body = { kind: 'deliver', topics: topics.length, delivery };
    const { answers, copies, complete } = await this.exchange(topics, body, until);
    this.metrics.routed.inc(copies);
    return { reach: combined(answers as WireReach[]), complete };
  }

  private async topicsOf({ tenant, target }: RelayedDelivery): Promise<readonly string[]> {
    if (!isStorable(target)) {
      // The nodes of a Redis Cluster count the receivers on their own connections only: there, every node answers.
      return this.redis.isCluster ? [this.#topics.all] : this.#topics.ofGroup(tenant, target);
    }
    if (tenant === EVERY_TENANT) return [this.#topics.all];
    const instances = await this.directory.instancesElsewhere(tenant, usersOf(target));
    return [...instances].map((instance) => this.#topics.instance(instance));
  }

  private async exchange(
    topics: readonly string[],
    body: Body,
    until: number,
  ): Promise<{ readonly answers: readonly unknown[]; readonly copies: number; readonly complete: boolean }> {
    const number = ++this.#lastExchange;
    const exchange = new Exchange();
    this.#exchanges.set(number, exchange);
    try {
      const receivers = await this.publish(topics, this.sealed(number, body));
      exchange.expect(receivers);
      const complete = await exchange.done(until - performance.now());
      return { answers: exchange.answers, copies: receivers - exchange.ownCopies, complete };
    } finally {
      this.#exchanges.delete(number);
    }
  }

  /** Says how many copies went out. */
  private async publish(topics: readonly string[], text: string): Promise<number> {
    const counts = await this.redis.run('cluster_publish', (redis) =>
      Promise.all(topics.map((topic) => redis.publish(topic, text))),
    );
    if (!this.redis.isCluster) return counts.reduce((sum, count) => sum + count, 0);
    return topics[0] === this.#topics.all ? (await this.membership.others()).size + 1 : topics.length;
  }

  private sealed(exchange: number, body: Body): string {
    return this.#seal.seal(encodeClusterMessage({ ...body, from: this.membership.instance, exchange }));
  }

  readonly #hear = (sealed: string): void => {
    const text = this.#seal.open(sealed);
    if (text === undefined) {
      this.warnings.warn('forged', 'Ignored a message that no node with the same CLUSTER_SECRET has sent');
      return;
    }
    const message = decodeClusterMessage(text);
    if (message === undefined) return;
    if (message.kind === 'reply') this.#exchanges.get(message.exchange)?.reply(message.copies, message.answer);
    else if (message.from === this.membership.instance) this.#exchanges.get(message.exchange)?.ownCopy();
    else if (message.kind === 'ask') void this.answer(message);
    else void this.take(message);
  };

  /** Delivers the first copy; one reply accounts for the copies that came until then. */
  private async take(message: Extract<ClusterMessage, { kind: 'deliver' }>): Promise<void> {
    const name = `${message.from} ${message.exchange}`;
    const copy = message.topics > 1 ? this.#copies.take(name) : 'first';
    if (copy === 'late') await this.reply(message, 1, reachToWire(NOTHING_REACHED));
    if (copy !== 'first') return;
    this.metrics.received.inc();
    try {
      const reach = await this.#deliver(message.delivery);
      await this.reply(message, this.#copies.answer(name), reachToWire(reach));
    } catch (error) {
      this.logger.error(
        `Could not deliver for another node: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  private async answer(message: Extract<ClusterMessage, { kind: 'ask' }>): Promise<void> {
    await this.reply(message, 1, this.answerTo(message.what, message.question));
  }

  /** null: a newer node may ask what this one does not know; it is told so, rather than kept waiting. */
  private answerTo(what: string, question: unknown): unknown {
    try {
      return this.#answers.get(what)?.(question as never) ?? null;
    } catch (error) {
      this.logger.error(`Could not answer another node: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  private async reply(to: ClusterMessage, copies: number, answer: unknown): Promise<void> {
    const text = this.sealed(to.exchange, { kind: 'reply', copies, answer });
    await this.redis
      .run('cluster_reply', (redis) => redis.publish(this.#topics.instance(to.from), text))
      .catch(() => undefined);
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(redisUnavailable(`no answer within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([work, overdue]);
  } finally {
    clearTimeout(timer);
  }
}

function combined(reaches: readonly WireReach[]): Reach {
  let delivered = 0;
  let failed = 0;
  const users: Map<WireReach['users'][number][0], number> = new Map();
  const channels = new Map<string, number>();
  for (const reach of reaches) {
    delivered += reach.delivered;
    failed += reach.failed;
    for (const [user, count] of reach.users) users.set(user, (users.get(user) ?? 0) + count);
    for (const [channel, count] of reach.channels) channels.set(channel, (channels.get(channel) ?? 0) + count);
  }
  return { delivered, failed, users, channels };
}
