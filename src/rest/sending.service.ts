import { Injectable } from '@nestjs/common';
import { DispatcherService } from '../dispatch/dispatcher.service';
import type { JsonBody } from '../http/json-body';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import { isAccepted, type Delivery, type DeliveryReport } from '../notification/delivery';
import { type Eventual, whenThere } from '../notification/eventual';
import { IdSource, type ChannelName, type UserId } from '../notification/ids';
import type { Target } from '../notification/target';
import { ATTRIBUTE, SPAN } from '../telemetry/span-names';
import { parseTraceparent } from '../protocol/traceparent';
import { timestamp } from '../protocol/timestamp';
import { Tracer, type Span } from '../telemetry/tracer';
import { ContentResolver } from './content-resolver';
import { chosen, type ContentDto } from './dto/content.dto';
import {
  BROADCAST,
  MAX_TARGET_CHANNELS,
  MAX_TARGET_USERS,
  SEND_TO_CHANNEL,
  SEND_TO_CHANNELS,
  SEND_TO_USER,
  SEND_TO_USERS,
  type SendResponse,
  type SendToChannelResponse,
  type SendToChannelsResponse,
  type SendToUsersResponse,
} from './dto/send.dto';
import { validate } from './dto/validate';
import type { Exchange } from './exchange';
import { plainBroadcast, plainSendToChannel, plainSendToUser } from './plain-request';
import { type Asked, type Content, toDelivery } from './to-delivery';

/** The five ways to send one notification: reads the request, dispatches it, and says what became of it. */
@Injectable()
export class SendingService {
  constructor(
    private readonly dispatcher: DispatcherService,
    private readonly contents: ContentResolver,
    private readonly ids: IdSource,
    private readonly clock: Clock,
    private readonly tracer: Tracer,
  ) {}

  sendToUser(exchange: Exchange): Eventual<SendResponse> {
    const asked = plainSendToUser(exchange.requiredBytes) ?? this.#toUser(exchange);
    return this.tracer.trace(
      SPAN.sendNotification,
      (span) => {
        span.set(ATTRIBUTE.targetUserId, asked.target.user);
        return whenThere(this.#send(exchange, asked, span), (report) => this.#answer(report));
      },
      exchange.traceparent,
    );
  }

  sendToUsers(exchange: Exchange): Eventual<SendToUsersResponse> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_USERS, body.value), body.value);
    return this.tracer.trace(
      SPAN.sendToUsers,
      (span) => {
        span.set(ATTRIBUTE.userCount, dto.target_user_ids.length);
        const target = usersTarget(dto.target_user_ids);
        return whenThere(this.#send(exchange, this.asked(exchange, body, dto, target), span), (report) => ({
          ...this.#answer(report),
          results: resultsOf(target.users, report),
        }));
      },
      exchange.traceparent,
    );
  }

  broadcast(exchange: Exchange): Eventual<SendResponse> {
    const asked = plainBroadcast(exchange.requiredBytes) ?? this.#toAll(exchange);
    return this.tracer.trace(
      SPAN.broadcast,
      (span) => {
        span.set(ATTRIBUTE.audience, asked.target.audience?.type ?? 'All');
        return whenThere(this.#send(exchange, asked, span), (report) => this.#answer(report));
      },
      exchange.traceparent,
    );
  }

  sendToChannel(exchange: Exchange): Eventual<SendToChannelResponse> {
    const asked = plainSendToChannel(exchange.requiredBytes) ?? this.#toChannel(exchange);
    const { channel } = asked.target;
    return this.tracer.trace(
      SPAN.channelNotification,
      (span) => {
        span.set(ATTRIBUTE.channel, channel);
        return whenThere(this.#send(exchange, asked, span), (report) => ({ ...this.#answer(report), channel }));
      },
      exchange.traceparent,
    );
  }

  sendToChannels(exchange: Exchange): Eventual<SendToChannelsResponse> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_CHANNELS, body.value), body.value);
    return this.tracer.trace(
      SPAN.multiChannelNotification,
      (span) => {
        span.set(ATTRIBUTE.channelCount, dto.channels.length);
        const target = channelsTarget(dto.channels);
        return whenThere(this.#send(exchange, this.asked(exchange, body, dto, target), span), (report) => {
          const channels = target.channels.map(
            (name) => [name, { delivered_to: report.perChannel?.get(name) ?? 0 }] as const,
          );
          return {
            ...this.#answer(report),
            channels: Object.fromEntries(channels),
            total_delivered: report.deliveredTo,
          };
        });
      },
      exchange.traceparent,
    );
  }

  /** `dto` is what the schemas found `body` to say, beside its target. */
  asked<T extends Target>(exchange: Exchange, body: JsonBody, dto: ContentDto, target: T): Asked<T> {
    return {
      target,
      content: () => this.contents.resolve(exchange.requiredTenant, body, dto),
      correlationId: dto.correlation_id,
    };
  }

  /** At once unless a template has to be looked up; `span` becomes the parent of whoever handles its frames. */
  deliveryOf(exchange: Exchange, { target, content, correlationId }: Asked, span: Span): Eventual<Delivery> {
    const deliveryWith = (resolved: Content): Delivery =>
      toDelivery({
        tenant: exchange.requiredTenant,
        target,
        content: resolved,
        id: this.ids.notificationId(),
        occurredAt: this.clock.now(),
        correlationId,
        traceparent: span.traceparent ?? wellFormed(exchange.traceparent),
      });
    return typeof content === 'function' ? whenThere(content(), deliveryWith) : deliveryWith(content);
  }

  #toUser(exchange: Exchange): Asked<Extract<Target, { kind: 'user' }>> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_USER, body.value), body.value);
    return this.asked(exchange, body, dto, { kind: 'user', user: dto.target_user_id });
  }

  #toAll(exchange: Exchange): Asked<Extract<Target, { kind: 'broadcast' }>> {
    const body = exchange.requiredBody;
    body.member('audience').requireUniqueKeys();
    const { audience, ...dto } = validate(chosen(BROADCAST, body.value), body.value);
    return this.asked(exchange, body, dto, { kind: 'broadcast', ...(audience && { audience }) });
  }

  #toChannel(exchange: Exchange): Asked<Extract<Target, { kind: 'channel' }>> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_CHANNEL, body.value), body.value);
    return this.asked(exchange, body, dto, { kind: 'channel', channel: dto.channel });
  }

  #send(exchange: Exchange, asked: Asked, span: Span): Eventual<DeliveryReport> {
    return whenThere(this.deliveryOf(exchange, asked, span), (delivery) => {
      const { eventType, priority } = delivery.notification;
      span.set(ATTRIBUTE.eventType, eventType).set(ATTRIBUTE.priority, priority);
      return this.dispatcher.dispatch(delivery);
    });
  }

  #answer(report: DeliveryReport): SendResponse {
    return {
      success: isAccepted(report),
      notification_id: report.id,
      delivered_to: report.deliveredTo,
      failed: report.failed,
      timestamp: timestamp(this.clock.now()),
      queued: report.queuedCount > 0,
      queued_count: report.queuedCount,
      durable: report.durable,
    };
  }
}

/** Each user once. Throws VALIDATION_ERROR beyond the cap. */
export function usersTarget(users: readonly UserId[]): Extract<Target, { kind: 'users' }> {
  requireAtMost(MAX_TARGET_USERS, users.length, 'target_user_ids');
  return { kind: 'users', users: [...new Set(users)] };
}

/** Each channel once. Throws VALIDATION_ERROR beyond the cap. */
export function channelsTarget(channels: readonly ChannelName[]): Extract<Target, { kind: 'channels' }> {
  requireAtMost(MAX_TARGET_CHANNELS, channels.length, 'channels');
  return { kind: 'channels', channels: [...new Set(channels)] };
}

function requireAtMost(max: number, count: number, field: string): void {
  if (count > max) throw new AraError('VALIDATION_ERROR', `${field} exceeds maximum of ${max} (got ${count})`);
}

/** Built by entries, so that a user named `__proto__` is a user like any other. */
function resultsOf(users: readonly UserId[], report: DeliveryReport): SendToUsersResponse['results'] {
  return Object.fromEntries(
    users.map((user) => {
      const { connections, queued } = report.perUser?.get(user) ?? { connections: 0, queued: false };
      return [user, { delivered: connections > 0, connections, queued }];
    }),
  );
}

function wellFormed(traceparent: string | undefined): string | undefined {
  return parseTraceparent(traceparent) === undefined ? undefined : traceparent;
}
