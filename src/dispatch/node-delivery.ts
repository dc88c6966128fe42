import { Injectable } from '@nestjs/common';
import { AckService } from '../ack/ack.service';
import { NOTHING_REACHED, type Reach, type RelayedDelivery } from '../cluster/cluster-bus';
import { Clock } from '../notification/clock';
import type { Eventual } from '../notification/eventual';
import type { TenantId, UserId } from '../notification/ids';
import { isStorable } from '../notification/target';
import { NotificationTraces } from '../telemetry/notification-traces';
import { DispatchStatistics } from './dispatch-statistics';
import { homeOf } from './intake.service';
import { LocalDelivery, type ReceiptOf } from './local-delivery';
import { SettlementService } from './settlement.service';

/** What one node does with a delivery, its own or relayed: expects acknowledgements, hands out the frame, counts. */
@Injectable()
export class NodeDelivery {
  constructor(
    private readonly ack: AckService,
    private readonly local: LocalDelivery,
    private readonly settlement: SettlementService,
    private readonly statistics: DispatchStatistics,
    private readonly clock: Clock,
    private readonly traces: NotificationTraces,
  ) {}

  /** Nothing happens to a delivery whose life is over. Acknowledgements are expected before the frame leaves. */
  deliver(delivery: RelayedDelivery): Eventual<Reach> {
    if (delivery.expiresAt !== undefined && delivery.expiresAt <= this.clock.now()) return NOTHING_REACHED;
    if (!this.ack.isEnabled) return this.handOut(delivery, undefined);
    return this.expectAcks(delivery).then((tracked) => this.handOut(delivery, tracked));
  }

  private handOut(delivery: RelayedDelivery, tracked: ReadonlySet<UserId> | undefined): Reach {
    const reach = this.local.deliver(
      delivery.tenant,
      delivery.target,
      delivery.frame,
      this.receipts(delivery, tracked),
    );
    this.statistics.countReach(delivery.tenant, reach);
    if (reach.delivered > 0) this.traces.remember(delivery.frame);
    return reach;
  }

  /** undefined: no store keeps it. */
  private receipts(
    { id, tenant, keptUntil }: RelayedDelivery,
    tracked: ReadonlySet<UserId> | undefined,
  ): ReceiptOf | undefined {
    if (keptUntil === undefined) return undefined;
    const home = homeOf(tenant);
    return (of, user) =>
      of === home
        ? this.settlement.receipt({ tenant: home, user, id }, keptUntil, tracked?.has(user) ?? false)
        : undefined;
  }

  /** The users of the delivery's own tenant whose acknowledgement is awaited now. */
  private async expectAcks({ id, tenant, target }: RelayedDelivery): Promise<ReadonlySet<UserId>> {
    const members = new Map<TenantId, Set<UserId>>();
    for (const [of, user] of this.local.webSocketMembers(tenant, target)) {
      const users = members.get(of);
      if (users === undefined) members.set(of, new Set([user]));
      else users.add(user);
    }
    for (const [of, users] of members) {
      if (isStorable(target)) await this.ack.track(of, id, [...users]);
      else this.ack.trackGroup(of, id, users);
    }
    return members.get(homeOf(tenant)) ?? new Set();
  }
}
