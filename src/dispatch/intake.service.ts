import { Injectable } from '@nestjs/common';
import { OnceClaims } from '../cluster/once-claims';
import { AraConfig } from '../config/ara-config';
import { ConnectionRegistry } from '../connection/connection-registry';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import type { Delivery } from '../notification/delivery';
import { type Eventual, whenThere } from '../notification/eventual';
import { DEFAULT_TENANT, type TenantId, type UserId } from '../notification/ids';
import { hasExpired } from '../notification/notification';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { EVERY_TENANT, isStorable, type TenantScope, usersOf } from '../notification/target';
import type { Frame } from '../protocol/frame';
import { notificationFrame } from '../protocol/server-message';
import { type Kept, QueueService } from '../queue/queue.service';
import { Recipients } from './recipients';
import { SettlementService } from './settlement.service';

/** When a client whose notification could be neither kept nor sent should try again. */
const RETRY_AFTER_SECONDS = 1;

/** A delivery that was taken in: encoded at most once, and what the store said of it. */
export interface Intake {
  readonly delivery: Delivery;
  readonly frame: Frame;
  readonly storage: Storage;
}

export type Storage =
  /** Not to be kept: the queue is off, or the target is a group. */
  | { readonly kind: 'none' }
  | { readonly kind: 'kept'; readonly kept: Kept }
  /** Another node, or an earlier message, was first. */
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'expired' }
  /**
   * The store is out of reach, but everybody it is for is connected. An answer that was lost may hide that it was
   * stored after all: until then, connections remember it and the entry is settled like any other.
   */
  | { readonly kind: 'live-only'; readonly keptUntil: number };

const NOT_KEPT: Storage = { kind: 'none' };
const DUPLICATE: Storage = { kind: 'duplicate' };
const EXPIRED: Storage = { kind: 'expired' };

/** The first step of a dispatch: decides whether a delivery is still due and new, and stores what is to be kept. */
@Injectable()
export class IntakeService {
  constructor(
    private readonly queue: QueueService,
    private readonly claims: OnceClaims,
    private readonly registry: ConnectionRegistry,
    private readonly recipients: Recipients,
    private readonly settlement: SettlementService,
    private readonly clock: Clock,
    private readonly config: AraConfig,
  ) {}

  /** Fails with AraError QUEUE_UNAVAILABLE when the store is out of reach and not all users are known to be connected. */
  take(delivery: Delivery): Eventual<Intake> {
    const { traceInFrames } = this.config.telemetry;
    const frame = notificationFrame(delivery.notification, delivery.target, traceInFrames);
    return whenThere(this.store(delivery, frame), (storage) => ({ delivery, frame, storage }));
  }

  /** All or none: when one cannot be kept, what was stored of the others is taken back and the first failure is thrown. */
  async takeAll(deliveries: readonly Delivery[]): Promise<Intake[]> {
    const results = await Promise.allSettled(deliveries.map(async (delivery) => this.take(delivery)));
    const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return taken;
    await Promise.allSettled(taken.map((intake) => this.takeBack(intake)));
    throw failure.reason;
  }

  private async takeBack({ delivery, storage }: Intake): Promise<void> {
    if (storage.kind !== 'kept') return;
    const tenant = homeOf(delivery.tenant);
    const { id } = delivery.notification;
    // By settlement, which tries again: what stays stored would be delivered.
    await Promise.all(storage.kept.users.map((user) => this.settlement.commit({ tenant, user, id })));
  }

  private store(delivery: Delivery, frame: Frame): Eventual<Storage> {
    const { target, notification, dedupeKey } = delivery;
    if (hasExpired(notification, this.clock.now())) return EXPIRED;
    if (this.queue.isEnabled && isStorable(target)) return this.keep(delivery, usersOf(target), frame);
    return dedupeKey === undefined ? NOT_KEPT : this.claim(dedupeKey, NOT_KEPT);
  }

  private async keep(delivery: Delivery, users: readonly UserId[], frame: Frame): Promise<Storage> {
    const { notification, dedupeKey } = delivery;
    const tenant = homeOf(delivery.tenant);
    const here = this.registry.tenant(tenant);
    try {
      const kept = await this.queue.keep({
        tenant,
        users,
        notification,
        json: frame.json,
        dedupeKey,
        isPresent: (user) => (here?.ofUser(user).length ?? 0) > 0,
      });
      return kept.users.length === 0 && users.length > 0 ? DUPLICATE : { kind: 'kept', kept };
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      if (!(await this.recipients.allAreConnected(tenant, users))) throw unavailable(delivery, error);
      return this.claim(dedupeKey, { kind: 'live-only', keptUntil: this.queue.endOf(notification) });
    }
  }

  private async claim(dedupeKey: string | undefined, first: Storage): Promise<Storage> {
    return dedupeKey === undefined || (await this.claims.claim(dedupeKey)) ? first : DUPLICATE;
  }
}

/** The tenant under which entries are kept: an unscoped trigger leaves its to the default tenant. */
export function homeOf(scope: TenantScope): TenantId {
  return scope === EVERY_TENANT ? DEFAULT_TENANT : scope;
}

function unavailable(delivery: Delivery, cause: StoreUnavailableError): AraError {
  return new AraError('QUEUE_UNAVAILABLE', `The queue store cannot be reached: ${cause.message}`, {
    cause,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    details: {
      notification_id: delivery.notification.id,
      hint: 'It was not sent and is not promised. Send it again later; after a time-out it may still arrive with this id.',
    },
  });
}
