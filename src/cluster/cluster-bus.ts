import type { Eventual } from '../notification/eventual';
import type { ChannelName, TenantId } from '../notification/ids';
import type { Reach, RelayedDelivery } from '../protocol/cluster-message';
import type { AnswerOf, QuestionOf, Subject } from './cluster-questions';

export type { Reach, RelayedDelivery } from '../protocol/cluster-message';

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
   * CLUSTER_DELIVERY_WAIT_MS; that they were sent is waited for up to STORE_TIMEOUT_MS. Never rejects: a dead bus reports
   * `complete: false`.
   */
  abstract relay(delivery: RelayedDelivery): Eventual<RelayReport>;

  /** Who delivers what other nodes relay. Set once, before the node has connections. */
  abstract onRelay(deliver: (delivery: RelayedDelivery) => Eventual<Reach>): void;

  /**
   * Resolves when other nodes' deliveries of this interest reach this node; rejects with StoreUnavailableError when that
   * takes too long, and then still holds as soon as it can. Counted either way: as many releases end it.
   */
  abstract retain(interest: Interest): Promise<void>;

  abstract release(interest: Interest): void;

  /** Answers of the other nodes, of those that gave one within half a second. Never rejects. */
  abstract ask<K extends Subject>(what: K, question: QuestionOf<K>): Promise<readonly AnswerOf<K>[]>;

  /** Who answers other nodes. Set once for each subject. */
  abstract onAsk<K extends Subject>(what: K, answer: (question: QuestionOf<K>) => AnswerOf<K>): void;
}

/** The bus of a node without others. */
export class LocalClusterBus extends ClusterBus {
  private static readonly alone: RelayReport = { reach: NOTHING_REACHED, complete: true };
  private static readonly done: Promise<void> = Promise.resolve();
  private static readonly nobody: Promise<readonly []> = Promise.resolve([]);

  relay(): Eventual<RelayReport> {
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

  ask(): Promise<readonly []> {
    return LocalClusterBus.nobody;
  }

  onAsk(): void {
    // Nobody asks.
  }
}
