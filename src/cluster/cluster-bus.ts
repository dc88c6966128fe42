import type { ChannelName, NotificationId, TenantId, UserId } from '../notification/ids';
import type { Target, TenantScope } from '../notification/target';
import type { Frame } from '../protocol/frame';

/** A notification on its way to the connections of other nodes: encoded once, here. */
export interface RelayedDelivery {
  readonly id: NotificationId;
  readonly tenant: TenantScope;
  readonly target: Target;
  readonly frame: Frame;
  /** Milliseconds since the epoch; undefined: no end. */
  readonly expiresAt: number | undefined;
  /** Set when a store keeps it: until when. The receiving node then settles its entry. */
  readonly keptUntil: number | undefined;
}

/** What a delivery reached on one node, or on several together. */
export interface Reach {
  readonly delivered: number;
  readonly failed: number;
  /** Connections per user, of those users that were reached; for user and users targets. */
  readonly users: ReadonlyMap<UserId, number>;
  /** Connections per channel, for channels targets. */
  readonly channels: ReadonlyMap<string, number>;
}

export interface RelayReport {
  readonly reach: Reach;
  /** False when a node that was told did not answer in time: it may have reached more. */
  readonly complete: boolean;
}

/** What a node wants to hear of. */
export type Interest =
  | { readonly kind: 'tenant'; readonly tenant: TenantId }
  | { readonly kind: 'all-channels'; readonly tenant: TenantId }
  | { readonly kind: 'channel'; readonly tenant: TenantId; readonly channel: ChannelName };

export const NOTHING_REACHED: Reach = { delivered: 0, failed: 0, users: new Map(), channels: new Map() };

/** Carries deliveries between nodes. Calls back; knows nothing of connections or stores. */
export abstract class ClusterBus {
  /**
   * Sends one message to each node that is interested in the target, and waits for their counts, at most
   * CLUSTER_DELIVERY_WAIT_MS. Never rejects: a dead bus reports `complete: false`.
   */
  abstract relay(delivery: RelayedDelivery): Promise<RelayReport>;

  /** Who delivers what other nodes relay. Set once, before `open`. */
  abstract onRelay(deliver: (delivery: RelayedDelivery) => Promise<Reach>): void;

  /** Resolves when other nodes' deliveries of this interest reach this node. Counted: as many releases end it. */
  abstract retain(interest: Interest): Promise<void>;

  abstract release(interest: Interest): void;

  abstract open(): Promise<void>;

  abstract close(): Promise<void>;
}

/** The bus of a node without others. */
export class LocalClusterBus extends ClusterBus {
  private static readonly alone: Promise<RelayReport> = Promise.resolve({ reach: NOTHING_REACHED, complete: true });
  private static readonly done: Promise<void> = Promise.resolve();

  relay(): Promise<RelayReport> {
    return LocalClusterBus.alone;
  }

  onRelay(): void {
    // Nobody relays.
  }

  retain(): Promise<void> {
    return LocalClusterBus.done;
  }

  release(): void {
    // Nobody was told.
  }

  open(): Promise<void> {
    return LocalClusterBus.done;
  }

  close(): Promise<void> {
    return LocalClusterBus.done;
  }
}
