import type { ChannelName, ConnectionId, NodeId, TenantId, UserId } from '../notification/ids';
import type { Target } from '../notification/target';

/** A user's connection and what it has subscribed to. */
export interface SessionRecord {
  readonly connection: ConnectionId;
  readonly node: NodeId;
  /** Milliseconds since the epoch. */
  readonly connectedAt: number;
  readonly channels: readonly ChannelName[];
}

/** What one node, or all together, counted for a tenant. */
export interface TenantStats {
  readonly tenant: TenantId;
  readonly activeConnections: number;
  /** Connections ever opened. */
  readonly totalConnections: number;
  readonly messagesSent: number;
  readonly messagesDelivered: number;
  /** Since 00:00 UTC. */
  readonly messagesToday: number;
}

/**
 * What nodes ask each other, and what one answers: plain JSON. Each speaks of its own connections only. Where a tenant
 * may be null, that means all of them.
 */
export interface Questions {
  /** Channels and their subscribers, or those of one channel. */
  channels: {
    readonly question: { readonly tenant: TenantId; readonly channel?: ChannelName };
    readonly answer: readonly (readonly [ChannelName, number])[];
  };
  sessions: {
    readonly question: { readonly tenant: TenantId | null; readonly user: UserId };
    readonly answer: readonly SessionRecord[];
  };
  /** Tenants with a connection; or one tenant, even if it has none now. */
  tenants: { readonly question: { readonly tenant: TenantId | null }; readonly answer: readonly TenantStats[] };
  connections: { readonly question: null; readonly answer: number };
  /** Whether somebody would receive it. */
  recipients: {
    readonly question: { readonly tenant: TenantId | null; readonly target: Target };
    readonly answer: boolean;
  };
}

export type Subject = keyof Questions;
export type QuestionOf<K extends Subject> = Questions[K]['question'];
export type AnswerOf<K extends Subject> = Questions[K]['answer'];
