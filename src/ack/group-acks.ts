import { Injectable } from '@nestjs/common';
import type { NotificationId, TenantId, UserId } from '../notification/ids';
import type { AckOutcome, AckRef } from './ack-store';

interface Group {
  readonly sentAt: number;
  readonly expiresAt: number;
  readonly pending: Set<UserId>;
}

/**
 * Acknowledgements of a broadcast or channel notification: one record per notification on this node, its members in a
 * set, instead of one row per recipient in a store. They are statistics only; nothing is redelivered for them.
 */
@Injectable()
export class GroupAcks {
  readonly #tenants = new Map<TenantId, Map<NotificationId, Group>>();
  #pending = 0;

  get pending(): number {
    return this.#pending;
  }

  /** Says how many members are newly awaited; a group that is known keeps its times. O(members). */
  track(tenant: TenantId, id: NotificationId, members: Iterable<UserId>, sentAt: number, expiresAt: number): number {
    const users = new Set(members);
    if (users.size === 0) return 0;
    let groups = this.#tenants.get(tenant);
    if (groups === undefined) this.#tenants.set(tenant, (groups = new Map<NotificationId, Group>()));
    let group = groups.get(id);
    if (group === undefined) groups.set(id, (group = { sentAt, expiresAt, pending: new Set() }));
    const before = group.pending.size;
    for (const user of users) group.pending.add(user);
    const added = group.pending.size - before;
    this.#pending += added;
    return added;
  }

  /** undefined: no group knows this notification. */
  acknowledge({ tenant, notification, user }: AckRef, now: number): AckOutcome | undefined {
    const group = this.#tenants.get(tenant)?.get(notification);
    if (group === undefined) return undefined;
    if (!group.pending.delete(user)) return { kind: 'unknown' };
    this.#pending--;
    return now >= group.expiresAt ? { kind: 'late' } : { kind: 'acked', latencyMs: now - group.sentAt };
  }

  /** Removes groups whose time is over; says how many members had not answered. */
  sweep(now: number): number {
    let expired = 0;
    for (const [tenant, groups] of this.#tenants) {
      for (const [id, group] of groups) {
        if (now < group.expiresAt) break;
        expired += group.pending.size;
        groups.delete(id);
      }
      if (groups.size === 0) this.#tenants.delete(tenant);
    }
    this.#pending -= expired;
    return expired;
  }
}
