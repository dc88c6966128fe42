import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { DispatcherService } from '../dispatch/dispatcher.service';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import type { Delivery } from '../notification/delivery';
import { type Eventual, whenThere } from '../notification/eventual';
import { DEFAULT_TENANT, IdSource, parseTenantId } from '../notification/ids';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { EVERY_TENANT, type TenantScope } from '../notification/target';
import { plainTrigger } from '../protocol/plain-trigger';
import { parseTrigger, type Trigger } from '../protocol/trigger-message';
import { Metrics } from '../telemetry/metrics';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import { isNamedBy } from './channel-names';
import { derivedId } from './derived-id';
import type { Occurrence } from './occurrences';

const DROP_REASONS = ['malformed', 'tenant', 'target', 'unavailable', 'error'] as const;

type DropReason = (typeof DROP_REASONS)[number];

/** Where a message came from. */
export interface TriggerOrigin {
  /** Of the Pub/Sub channel or stream; clients see it in `metadata.source`. */
  readonly name: string;
  readonly kind: 'channel' | 'stream';
  /** What other nodes that hear the same message know it by; undefined: nobody else hears it. */
  readonly occurrence: (text: string) => Occurrence | Promise<Occurrence> | undefined;
}

/** `unavailable`: nothing was promised; it may be offered again. */
export type TriggerOutcome = 'taken' | 'dropped' | 'unavailable';

/** Turns what publishers wrote into deliveries. Whatever a message holds, the most that comes of it is a count and a line in the log. */
@Injectable()
export class TriggerIntake {
  private readonly warnings: RepeatedWarnings;
  private readonly received;
  private readonly dropped;

  constructor(
    private readonly dispatcher: DispatcherService,
    private readonly config: AraConfig,
    private readonly ids: IdSource,
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    this.warnings = new RepeatedWarnings(new Logger('RedisTrigger'), clock);
    this.received = metrics.counter('ara_redis_messages_received_total', 'Messages received at the Redis door');
    this.dropped = metrics.labelledCounter(
      'ara_redis_messages_dropped_total',
      'Messages of the Redis door that were dropped',
      ['reason'],
      DROP_REASONS.map((reason) => [reason]),
    );
  }

  /** Dispatched before it returns, unless a store or other nodes have to be waited for. Never throws, never rejects. */
  take(text: string, origin: TriggerOrigin): Eventual<TriggerOutcome> {
    this.received.inc();
    const plain = plainTrigger(text);
    if (plain !== undefined) return this.send(plain, text, origin);
    const parsed = parseTrigger(text);
    if (parsed.kind === 'invalid') return this.drop('malformed', parsed.reason, origin);
    return this.send(parsed.trigger, text, origin);
  }

  private send(trigger: Trigger, text: string, origin: TriggerOrigin): Eventual<TriggerOutcome> {
    const scope = this.scopeOf(trigger.tenantId);
    if (scope === undefined) return this.drop('tenant', 'tenant_id is not the name of a tenant', origin);
    if (this.config.redis.triggerStrict && origin.kind === 'channel' && !isNamedBy(origin.name, trigger.target)) {
      return this.drop('target', 'its target is not the one that its channel names', origin);
    }
    try {
      const sent = whenThere(trigger.id ?? trigger.idempotencyKey ?? origin.occurrence(text), (occurrence) =>
        whenThere(
          this.dispatcher.dispatch(this.deliveryOf(trigger, scope, origin, occurrence)),
          (): TriggerOutcome => 'taken',
        ),
      );
      return sent instanceof Promise ? sent.catch((error: unknown) => this.failed(error, origin)) : sent;
    } catch (error) {
      return this.failed(error, origin);
    }
  }

  private deliveryOf(
    trigger: Trigger,
    tenant: TenantScope,
    origin: TriggerOrigin,
    occurrence: string | Occurrence | undefined,
  ): Delivery {
    const { target, eventType, payload, priority, ttlSeconds, correlationId, traceparent } = trigger;
    const dedupeKey = occurrence === undefined ? undefined : dedupeKeyOf(tenant, trigger, occurrence);
    const since = typeof occurrence === 'object' ? occurrence.since : undefined;
    return {
      tenant,
      target,
      notification: {
        // Nodes may each store a part of a long list of users: for all of them it is one notification.
        id: trigger.id ?? (dedupeKey === undefined ? this.ids.notificationId() : derivedId(dedupeKey, since)),
        occurredAt: this.clock.now(),
        eventType,
        payload,
        priority,
        source: `redis:${origin.name}`,
        ...(ttlSeconds !== undefined && { ttlSeconds }),
        ...(correlationId !== undefined && { correlationId }),
        ...(traceparent !== undefined && { traceparent }),
      },
      ...(dedupeKey !== undefined && { dedupeKey }),
    };
  }

  /** undefined: what is written there is no tenant. */
  private scopeOf(tenantId: string | undefined): TenantScope | undefined {
    const { enabled, redisUnscoped } = this.config.tenant;
    if (!enabled) return DEFAULT_TENANT;
    if (tenantId === undefined) return redisUnscoped ? EVERY_TENANT : DEFAULT_TENANT;
    return parseTenantId(tenantId);
  }

  private failed(error: unknown, origin: TriggerOrigin): TriggerOutcome {
    const isUnavailable =
      error instanceof StoreUnavailableError || (error instanceof AraError && error.reason === 'QUEUE_UNAVAILABLE');
    const message = error instanceof Error ? error.message : String(error);
    if (!isUnavailable) return this.drop('error', message, origin);
    // An entry of a stream is offered again, so nothing is lost yet.
    if (origin.kind === 'channel') this.drop('unavailable', message, origin);
    return 'unavailable';
  }

  private drop(reason: DropReason, why: string, { name }: TriggerOrigin): 'dropped' {
    this.dropped.with(reason).inc();
    this.warnings.warn(reason, `Dropped a message of ${name}: ${why}`, { reason });
    return 'dropped';
  }
}

/** Names the message once for all nodes. A digest, since publishers choose keys and may choose long ones. */
function dedupeKeyOf(tenant: TenantScope, { id }: Trigger, occurrence: string | Occurrence): string {
  const kind = id !== undefined ? 'id' : typeof occurrence === 'string' ? 'key' : 'heard';
  const name = typeof occurrence === 'string' ? occurrence : occurrence.name;
  const scope = tenant === EVERY_TENANT ? '*' : tenant;
  return createHash('sha256').update(`${kind}\0${scope}\0${name}`).digest('base64url');
}
