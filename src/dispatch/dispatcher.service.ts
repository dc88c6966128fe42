import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ClusterBus, NOTHING_REACHED, type Reach, type RelayedDelivery } from '../cluster/cluster-bus';
import type { Delivery, DeliveryReport, UserOutcome } from '../notification/delivery';
import { type Eventual, whenThere } from '../notification/eventual';
import type { UserId } from '../notification/ids';
import { expiresAt } from '../notification/notification';
import { isStorable, type Target, type TenantScope, usersOf } from '../notification/target';
import { type Kept, QueueService } from '../queue/queue.service';
import { endingWith, NULL_SPAN } from '../telemetry/tracer';
import { DispatchSpans, tracedBy } from './dispatch-spans';
import { DispatchStatistics } from './dispatch-statistics';
import { type Intake, IntakeService } from './intake.service';
import { NodeDelivery } from './node-delivery';
import { Recipients } from './recipients';

/**
 * The one door: every edge hands its deliveries here. Store first, send second; what is stored is deleted when
 * SettlementService knows that it arrived (docs/ARCHITECTURE.md, "one door").
 */
@Injectable()
export class DispatcherService implements OnModuleInit {
  constructor(
    private readonly intake: IntakeService,
    private readonly node: NodeDelivery,
    private readonly bus: ClusterBus,
    private readonly queue: QueueService,
    private readonly recipients: Recipients,
    private readonly statistics: DispatchStatistics,
    private readonly spans: DispatchSpans,
  ) {}

  onModuleInit(): void {
    this.bus.onRelay((relayed) => this.receive(relayed));
  }

  /**
   * Stores, sends, relays; done when it returns if no store and no other node has to be waited for. Fails with AraError
   * QUEUE_UNAVAILABLE when it can neither keep the notification nor knows all of its users to be connected; then nothing
   * was sent.
   */
  dispatch(delivery: Delivery): Eventual<DeliveryReport> {
    const startedAt = performance.now();
    const span = this.spans.dispatch(delivery);
    return endingWith(span, () =>
      whenThere(this.intake.take(tracedBy(span, delivery)), (intake) => this.send(intake, startedAt)),
    );
  }

  /** Stores all that are to be kept, and sends only when all are; else rejects with QUEUE_UNAVAILABLE and sends nothing. */
  async dispatchAtomically(deliveries: readonly Delivery[]): Promise<DeliveryReport[]> {
    const startedAt = performance.now();
    const spans = deliveries.map((delivery) => this.spans.dispatch(delivery));
    const traced = deliveries.map((delivery, i) => tracedBy(spans[i] ?? NULL_SPAN, delivery));
    try {
      const reports: DeliveryReport[] = [];
      for (const intake of await this.intake.takeAll(traced)) reports.push(await this.send(intake, startedAt));
      return reports;
    } catch (error) {
      for (const span of spans) span.fail(error);
      throw error;
    } finally {
      for (const span of spans) span.end();
    }
  }

  /** Whether somebody is connected who would receive it, or a queue would keep it. */
  async isDeliverable(tenant: TenantScope, target: Target): Promise<boolean> {
    if (isStorable(target) && this.queue.isEnabled) return usersOf(target).length > 0;
    return this.recipients.someoneIsConnected(tenant, target);
  }

  /** What another node took in. */
  private receive(relayed: RelayedDelivery): Eventual<Reach> {
    return endingWith(this.spans.receive(relayed), () => this.node.deliver(relayed));
  }

  private send({ delivery, frame, storage }: Intake, startedAt: number): Eventual<DeliveryReport> {
    if (storage.kind === 'expired' || storage.kind === 'duplicate') return notSent(delivery, storage.kind);
    const { tenant, notification } = delivery;
    const kept = storage.kind === 'kept' ? storage.kept : undefined;
    const target = kept === undefined ? delivery.target : narrowed(delivery.target, kept.users);
    const end = expiresAt(notification);
    const relayed: RelayedDelivery = {
      id: notification.id,
      tenant,
      target,
      frame,
      expiresAt: end === Number.POSITIVE_INFINITY ? undefined : end,
      keptUntil: storage.kind === 'live-only' ? storage.keptUntil : kept?.expiresAt,
      trace: this.spans.carried(delivery),
    };
    return endingWith(this.spans.send(delivery), () => {
      // The other nodes are told first, so that they deliver while this one does.
      const elsewhere = this.bus.relay(relayed);
      return whenThere(this.node.deliver(relayed), (here) =>
        whenThere(elsewhere, ({ reach }) => {
          this.statistics.countSent(tenant, target.kind, performance.now() - startedAt);
          return this.report(delivery, target, combined(here, reach), kept);
        }),
      );
    });
  }

  private report(delivery: Delivery, target: Target, reach: Reach, kept: Kept | undefined): DeliveryReport {
    const isQueued = (user: UserId): boolean => kept !== undefined && !reach.users.has(user);
    const queuedCount = kept !== undefined && isStorable(target) ? usersOf(target).filter(isQueued).length : 0;
    if (queuedCount > 0) this.queue.countEnqueued(queuedCount);
    return {
      id: delivery.notification.id,
      deliveredTo: reach.delivered,
      failed: reach.failed,
      queuedCount,
      durable: kept?.durable ?? false,
      duplicate: false,
      expired: false,
      perUser: target.kind === 'users' ? outcomes(target.users, reach, isQueued) : undefined,
      perChannel: target.kind === 'channels' ? reach.channels : undefined,
    };
  }
}

function narrowed(target: Target, users: readonly UserId[]): Target {
  return target.kind === 'users' && users.length !== target.users.length ? { kind: 'users', users } : target;
}

function notSent(delivery: Delivery, why: 'expired' | 'duplicate'): DeliveryReport {
  return {
    id: delivery.notification.id,
    deliveredTo: 0,
    failed: 0,
    queuedCount: 0,
    durable: false,
    duplicate: why === 'duplicate',
    expired: why === 'expired',
    perUser: undefined,
    perChannel: undefined,
  };
}

function combined(here: Reach, elsewhere: Reach): Reach {
  if (elsewhere === NOTHING_REACHED) return here;
  return {
    delivered: here.delivered + elsewhere.delivered,
    failed: here.failed + elsewhere.failed,
    users: summed(here.users, elsewhere.users),
    channels: summed(here.channels, elsewhere.channels),
  };
}

function summed<K>(left: ReadonlyMap<K, number>, right: ReadonlyMap<K, number>): ReadonlyMap<K, number> {
  const sum = new Map(left);
  for (const [key, count] of right) sum.set(key, (sum.get(key) ?? 0) + count);
  return sum;
}

function outcomes(
  users: readonly UserId[],
  reach: Reach,
  isQueued: (user: UserId) => boolean,
): ReadonlyMap<UserId, UserOutcome> {
  return new Map(
    users.map((user) => [user, { connections: reach.users.get(user) ?? 0, queued: isQueued(user) }] as const),
  );
}
