import { Injectable } from '@nestjs/common';
import type { RelayedDelivery } from '../cluster/cluster-bus';
import type { Delivery } from '../notification/delivery';
import type { NotificationId } from '../notification/ids';
import type { Target, TargetKind } from '../notification/target';
import { ATTRIBUTE, SPAN, type SpanName } from '../telemetry/span-names';
import { NULL_SPAN, Tracer, type Span } from '../telemetry/tracer';

const SEND: Readonly<Record<TargetKind, SpanName>> = {
  user: SPAN.dispatchToUser,
  users: SPAN.dispatchToUsers,
  broadcast: SPAN.dispatchBroadcast,
  channel: SPAN.dispatchToChannel,
  channels: SPAN.dispatchToChannels,
};

/** The spans of a dispatch. With tracing off they are NULL_SPAN, and nothing is made, copied or looked up. */
@Injectable()
export class DispatchSpans {
  constructor(private readonly tracer: Tracer) {}

  /** From taking a delivery to its report: a child of the request, or of the span that a publisher elsewhere names. */
  dispatch({ notification, target }: Delivery): Span {
    if (!this.tracer.enabled) return NULL_SPAN;
    return this.tracer
      .start(SPAN.dispatch, notification.traceparent)
      .set(ATTRIBUTE.notificationId, notification.id)
      .set(ATTRIBUTE.eventType, notification.eventType)
      .set(ATTRIBUTE.targetType, target.kind);
  }

  /** Handing a delivery that is `tracedBy` its dispatch to the connections, here and on other nodes. */
  send({ notification, target }: Delivery): Span {
    if (!this.tracer.enabled) return NULL_SPAN;
    return this.#send(notification.id, target, notification.eventType, notification.traceparent);
  }

  /** What goes along to other nodes, so that their part joins the trace. */
  carried({ notification: { traceparent, eventType } }: Delivery): RelayedDelivery['trace'] {
    return this.tracer.enabled && traceparent !== undefined ? { parent: traceparent, eventType } : undefined;
  }

  /** Handing what another node took in to the connections here: a child of its dispatch. */
  receive({ id, target, trace }: RelayedDelivery): Span {
    if (!this.tracer.enabled || trace === undefined) return NULL_SPAN;
    return this.#send(id, target, trace.eventType, trace.parent);
  }

  #send(id: NotificationId, target: Target, eventType: string, parent: string | undefined): Span {
    const span = this.tracer
      .start(SEND[target.kind], parent)
      .set(ATTRIBUTE.notificationId, id)
      .set(ATTRIBUTE.eventType, eventType);
    if (target.kind === 'users') span.set(ATTRIBUTE.userCount, target.users.length);
    if (target.kind === 'channel') span.set(ATTRIBUTE.channel, target.channel);
    if (target.kind === 'channels') span.set(ATTRIBUTE.channelCount, target.channels.length);
    return span;
  }
}

/** The delivery, with `span` as the parent of all that happens to it later: on its way, on other nodes, at its clients. */
export function tracedBy(span: Span, delivery: Delivery): Delivery {
  const { traceparent } = span;
  return traceparent === undefined
    ? delivery
    : { ...delivery, notification: { ...delivery.notification, traceparent } };
}
