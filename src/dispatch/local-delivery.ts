import { Injectable } from '@nestjs/common';
import { NOTHING_REACHED, type Reach } from '../cluster/cluster-bus';
import type { Connection } from '../connection/connection';
import { ConnectionRegistry } from '../connection/connection-registry';
import { BULK_FROM_CONNECTIONS, type Lane } from '../connection/flusher';
import type { Receipt } from '../connection/receipt';
import type { TenantConnections } from '../connection/tenant-connections';
import type { ChannelName, TenantId, UserId } from '../notification/ids';
import { admits, type Target, type TenantScope } from '../notification/target';
import type { Frame } from '../protocol/frame';

/** The receipt that goes with a user's frame, if a store keeps it. */
export type ReceiptOf = (tenant: TenantId, user: UserId) => Receipt | undefined;

const noReceipt: ReceiptOf = () => undefined;

/**
 * Finds the connections that a target means on this node and hands each the frame once. Synchronous: frames go into
 * the connections' queues, the flusher writes them; so one call costs O(recipients) additions and no I/O.
 */
@Injectable()
export class LocalDelivery {
  #mark = 0;

  constructor(private readonly registry: ConnectionRegistry) {}

  deliver(scope: TenantScope, target: Target, frame: Frame, receiptOf: ReceiptOf = noReceipt): Reach {
    switch (target.kind) {
      case 'user':
        return this.toUsers(scope, [target.user], frame, receiptOf);
      case 'users':
        return this.toUsers(scope, target.users, frame, receiptOf);
      case 'broadcast':
      case 'channel':
        return this.toGroup(scope, target, frame);
      case 'channels':
        return this.toChannels(scope, target.channels, frame);
    }
  }

  /** Users with a WebSocket among the connections that a broadcast or channel target means: those who can acknowledge. */
  *webSocketMembers(scope: TenantScope, target: Target): Generator<readonly [TenantId, UserId]> {
    const admitted = admits(target.kind === 'broadcast' ? target.audience : undefined);
    for (const tenant of this.registry.inScope(scope)) {
      for (const connections of listsOf(tenant, target)) {
        for (const connection of connections) {
          const mayAcknowledge = connection.isOpen && connection.transport === 'websocket';
          if (mayAcknowledge && admitted(connection)) yield [tenant.tenant, connection.user];
        }
      }
    }
  }

  private toUsers(scope: TenantScope, users: readonly UserId[], frame: Frame, receiptOf: ReceiptOf): Reach {
    let delivered = 0;
    let failed = 0;
    const reached = new Map<UserId, number>();
    const lane = laneFor(users.length);
    for (const tenant of this.registry.inScope(scope)) {
      for (const user of users) {
        const connections = tenant.ofUser(user);
        if (connections.length === 0) continue;
        const receipt = receiptOf(tenant.tenant, user);
        let took = 0;
        for (const connection of connections) if (connection.send(frame, receipt, lane)) took++;
        delivered += took;
        failed += connections.length - took;
        if (took > 0) reached.set(user, (reached.get(user) ?? 0) + took);
      }
    }
    return { ...NOTHING_REACHED, delivered, failed, users: reached };
  }

  private toGroup(scope: TenantScope, target: Extract<Target, { kind: 'broadcast' | 'channel' }>, frame: Frame): Reach {
    let delivered = 0;
    let failed = 0;
    for (const tenant of this.registry.inScope(scope)) {
      for (const connections of listsOf(tenant, target)) {
        const isMeant = membership(target, connections === tenant.listeners);
        const lane = laneFor(connections.length);
        for (const connection of connections) {
          if (isMeant !== undefined && !isMeant(connection)) continue;
          if (connection.send(frame, undefined, lane)) delivered++;
          else failed++;
        }
      }
    }
    return { ...NOTHING_REACHED, delivered, failed };
  }

  /** One copy per connection, however many of the channels it is in; each channel counts all of its connections. */
  private toChannels(scope: TenantScope, channels: readonly ChannelName[], frame: Frame): Reach {
    const mark = ++this.#mark;
    let delivered = 0;
    let failed = 0;
    const perChannel = new Map<string, number>();
    for (const tenant of this.registry.inScope(scope)) {
      for (const channel of channels) {
        let took = 0;
        for (const connections of [tenant.ofChannel(channel), tenant.listeners]) {
          const isListener = connections === tenant.listeners;
          const lane = laneFor(connections.length);
          for (const connection of connections) {
            if (isListener && !connection.identity.mayHear(channel)) continue;
            if (connection.fanOutMark === mark) took++;
            else if (connection.fanOutMark === -mark) continue;
            else if (connection.send(frame, undefined, lane)) {
              connection.fanOutMark = mark;
              delivered++;
              took++;
            } else {
              connection.fanOutMark = -mark;
              failed++;
            }
          }
        }
        perChannel.set(channel, (perChannel.get(channel) ?? 0) + took);
      }
    }
    return { ...NOTHING_REACHED, delivered, failed, channels: perChannel };
  }
}

function laneFor(recipients: number): Lane {
  return recipients > BULK_FROM_CONNECTIONS ? 'bulk' : 'express';
}

function listsOf(tenant: TenantConnections, target: Target): readonly (readonly Connection[])[] {
  switch (target.kind) {
    case 'user':
      return [tenant.ofUser(target.user)];
    case 'users':
      return target.users.map((user) => tenant.ofUser(user));
    case 'broadcast':
      return [tenant.connections];
    case 'channel':
      return [tenant.ofChannel(target.channel), tenant.listeners];
    case 'channels':
      return [...target.channels.map((channel) => tenant.ofChannel(channel)), tenant.listeners];
  }
}

/** undefined: all of the list is meant. */
function membership(
  target: Extract<Target, { kind: 'broadcast' | 'channel' }>,
  areListeners: boolean,
): ((connection: Connection) => boolean) | undefined {
  if (target.kind === 'channel') {
    return areListeners ? (connection) => connection.identity.mayHear(target.channel) : undefined;
  }
  const { audience } = target;
  return audience === undefined || audience.type === 'All' ? undefined : admits(audience);
}
