import { Injectable } from '@nestjs/common';
import { DispatcherService } from '../dispatch/dispatcher.service';
import type { JsonBody } from '../http/json-body';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import { isAccepted, type Delivery, type DeliveryReport } from '../notification/delivery';
import { IdSource, type ChannelName, type UserId } from '../notification/ids';
import type { Target } from '../notification/target';
import { ATTRIBUTE, SPAN } from '../telemetry/span-names';
import { parseTraceparent } from '../protocol/traceparent';
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
import { type Content, toDelivery } from './to-delivery';

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

  sendToUser(exchange: Exchange): Promise<SendResponse> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_USER, body.value), body.value);
    return this.tracer.trace(
      SPAN.sendNotification,
      async (span) => {
        span.set(ATTRIBUTE.targetUserId, dto.target_user_id);
        return this.#answer(await this.#send(exchange, { kind: 'user', user: dto.target_user_id }, dto, span));
      },
      exchange.traceparent,
    );
  }

  sendToUsers(exchange: Exchange): Promise<SendToUsersResponse> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_USERS, body.value), body.value);
    return this.tracer.trace(
      SPAN.sendToUsers,
      async (span) => {
        span.set(ATTRIBUTE.userCount, dto.target_user_ids.length);
        const target = usersTarget(dto.target_user_ids);
        const report = await this.#send(exchange, target, dto, span);
        return { ...this.#answer(report), results: resultsOf(target.users, report) };
      },
      exchange.traceparent,
    );
  }

  broadcast(exchange: Exchange): Promise<SendResponse> {
    const body = exchange.requiredBody;
    body.member('audience').requireUniqueKeys();
    const { audience, ...dto } = validate(chosen(BROADCAST, body.value), body.value);
    return this.tracer.trace(
      SPAN.broadcast,
      async (span) => {
        span.set(ATTRIBUTE.audience, audience?.type ?? 'All');
        const target: Target = { kind: 'broadcast', ...(audience && { audience }) };
        return this.#answer(await this.#send(exchange, target, dto, span));
      },
      exchange.traceparent,
    );
  }

  sendToChannel(exchange: Exchange): Promise<SendToChannelResponse> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_CHANNEL, body.value), body.value);
    const { channel } = dto;
    return this.tracer.trace(
      SPAN.channelNotification,
      async (span) => {
        span.set(ATTRIBUTE.channel, channel);
        return { ...this.#answer(await this.#send(exchange, { kind: 'channel', channel }, dto, span)), channel };
      },
      exchange.traceparent,
    );
  }

  sendToChannels(exchange: Exchange): Promise<SendToChannelsResponse> {
    const body = exchange.requiredBody;
    const dto = validate(chosen(SEND_TO_CHANNELS, body.value), body.value);
    return this.tracer.trace(
      SPAN.multiChannelNotification,
      async (span) => {
        span.set(ATTRIBUTE.channelCount, dto.channels.length);
        const target = channelsTarget(dto.channels);
        const report = await this.#send(exchange, target, dto, span);
        const channels = target.channels.map(
          (name) => [name, { delivered_to: report.perChannel?.get(name) ?? 0 }] as const,
        );
        return {
          ...this.#answer(report),
          channels: Object.fromEntries(channels),
          total_delivered: report.deliveredTo,
        };
      },
      exchange.traceparent,
    );
  }

  /** The delivery that a body asks for, at once unless a template has to be looked up; `span` becomes the parent of whoever handles its frames. */
  deliveryOf(
    exchange: Exchange,
    body: JsonBody,
    dto: ContentDto,
    target: Target,
    span: Span,
  ): Delivery | Promise<Delivery> {
    const tenant = exchange.requiredTenant;
    const deliveryWith = (content: Content): Delivery =>
      toDelivery({
        tenant,
        target,
        content,
        id: this.ids.notificationId(),
        occurredAt: this.clock.now(),
        correlationId: dto.correlation_id,
        traceparent: span.traceparent ?? wellFormed(exchange.traceparent),
      });
    const content = this.contents.resolve(tenant, body, dto);
    return content instanceof Promise ? content.then(deliveryWith) : deliveryWith(content);
  }

  async #send(exchange: Exchange, target: Target, dto: ContentDto, span: Span): Promise<DeliveryReport> {
    const delivery = await this.deliveryOf(exchange, exchange.requiredBody, dto, target, span);
    const { eventType, priority } = delivery.notification;
    span.set(ATTRIBUTE.eventType, eventType).set(ATTRIBUTE.priority, priority);
    return this.dispatcher.dispatch(delivery);
  }

  #answer(report: DeliveryReport): SendResponse {
    return {
      success: isAccepted(report),
      notification_id: report.id,
      delivered_to: report.deliveredTo,
      failed: report.failed,
      timestamp: new Date(this.clock.now()).toISOString(),
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
