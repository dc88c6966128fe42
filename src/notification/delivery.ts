import type { NotificationId, UserId } from './ids';
import type { Notification } from './notification';
import type { Target, TenantScope } from './target';

/** The one envelope: every edge makes it, DispatcherService takes it. */
export interface Delivery {
  readonly tenant: TenantScope;
  readonly target: Target;
  readonly notification: Notification;
  /** Names a publisher's message once for the whole cluster; a second delivery with it is a duplicate. */
  readonly dedupeKey?: string;
}

/** What became of one user of a `users` target. */
export interface UserOutcome {
  readonly connections: number;
  readonly queued: boolean;
}

/** What became of a delivery, at the moment of the answer. */
export interface DeliveryReport {
  readonly id: NotificationId;
  /** Connections that took it: WebSocket and SSE, all devices, all nodes. */
  readonly deliveredTo: number;
  /** Connections that refused it. */
  readonly failed: number;
  /** Recipients who were not reached live and for whom it is kept. */
  readonly queuedCount: number;
  /** A durable store took it for all recipients. */
  readonly durable: boolean;
  /** True when an earlier delivery with the same dedupe key was processed; nothing was sent. */
  readonly duplicate: boolean;
  /** Its life was over before it was dispatched; nothing was sent, stored or counted. */
  readonly expired: boolean;
  /** For `users` targets. */
  readonly perUser?: ReadonlyMap<UserId, UserOutcome> | undefined;
  /** For `channels` targets: connections reached per channel, before a connection that is in several is counted once. */
  readonly perChannel?: ReadonlyMap<string, number> | undefined;
}

/** Accepted: somebody received it, or it is kept for somebody. */
export function isAccepted(report: DeliveryReport): boolean {
  return report.deliveredTo > 0 || report.queuedCount > 0;
}
