import type { NotificationId, UserId } from '../notification/ids';
import { PRIORITIES } from '../notification/priority';
import { EVERY_TENANT, type Target, type TenantScope } from '../notification/target';
import { Frame } from './frame';

/** A notification on its way to the connections of other nodes: encoded once, where it came in. */
export interface RelayedDelivery {
  readonly id: NotificationId;
  readonly tenant: TenantScope;
  readonly target: Target;
  readonly frame: Frame;
  /** Milliseconds since the epoch; undefined: no end. */
  readonly expiresAt: number | undefined;
  /** Set when a store keeps it: until when. The receiving node then settles its entry. */
  readonly keptUntil: number | undefined;
  /** Set while traces are exported: what the receiving node's part of the trace hangs below, and is told of. */
  readonly trace?: { readonly parent: string; readonly eventType: string } | undefined;
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

/** Who speaks, and in which of their exchanges. */
interface Envelope {
  /** A process that runs a node; a node that starts again speaks as another. */
  readonly from: string;
  readonly exchange: number;
}

/**
 * What nodes say to each other. A version that adds a field or a kind stays version 1, since nodes ignore what they do
 * not know: so two releases run side by side while a cluster is upgraded. Another version is for what an older node must
 * not try to understand.
 */
export type ClusterMessage = Envelope &
  (
    | {
        readonly kind: 'deliver';
        /** Topics that it was published to; a node that hears several of them is sent as many copies. */
        readonly topics: number;
        readonly delivery: RelayedDelivery;
      }
    | { readonly kind: 'ask'; readonly what: string; readonly question: unknown }
    /** `exchange` is the asker's. `copies`: of the message that is answered. */
    | { readonly kind: 'reply'; readonly copies: number; readonly answer: unknown }
  );

const VERSION = 1;

/** One line of JSON; for a delivery, the frame's JSON as it is on a second one. */
export function encodeClusterMessage(message: ClusterMessage): string {
  const { kind, from, exchange } = message;
  const envelope = { v: VERSION, kind, from, exchange };
  switch (message.kind) {
    case 'deliver': {
      const { id, tenant, target, frame, expiresAt, keptUntil, trace } = message.delivery;
      const header = {
        ...envelope,
        topics: message.topics,
        id,
        tenant: tenant === EVERY_TENANT ? null : tenant,
        target,
        priority: PRIORITIES[frame.rank],
        may_be_shed: frame.mayBeShed,
        expires_at: expiresAt,
        kept_until: keptUntil,
        trace: trace && { parent: trace.parent, event_type: trace.eventType },
      };
      return `${JSON.stringify(header)}\n${frame.json}`;
    }
    case 'ask':
      return JSON.stringify({ ...envelope, what: message.what, question: message.question });
    case 'reply':
      return JSON.stringify({ ...envelope, copies: message.copies, answer: message.answer });
  }
}

/** undefined: of another version or kind, or not such a message at all. What it holds is trusted: it comes from a fellow node. */
export function decodeClusterMessage(text: string): ClusterMessage | undefined {
  const end = text.indexOf('\n');
  try {
    const header = JSON.parse(end === -1 ? text : text.slice(0, end)) as WireHeader;
    const { v, kind, from, exchange } = header;
    if (v !== VERSION) return undefined;
    switch (kind) {
      case 'deliver':
        return { kind, from, exchange, topics: header.topics, delivery: deliveryOf(header, text.slice(end + 1)) };
      case 'ask':
        return { kind, from, exchange, what: header.what, question: header.question };
      case 'reply':
        return { kind, from, exchange, copies: header.copies, answer: header.answer };
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

/** A reach as JSON holds it. */
export interface WireReach {
  readonly delivered: number;
  readonly failed: number;
  readonly users: readonly (readonly [UserId, number])[];
  readonly channels: readonly (readonly [string, number])[];
}

export function reachToWire({ delivered, failed, users, channels }: Reach): WireReach {
  return { delivered, failed, users: [...users], channels: [...channels] };
}

type WireHeader = { readonly v: number; readonly from: string; readonly exchange: number } & (
  | WireDelivery
  | { readonly kind: 'ask'; readonly what: string; readonly question: unknown }
  | { readonly kind: 'reply'; readonly copies: number; readonly answer: unknown }
);

interface WireDelivery {
  readonly kind: 'deliver';
  readonly topics: number;
  readonly id: NotificationId;
  readonly tenant: Exclude<TenantScope, typeof EVERY_TENANT> | null;
  readonly target: Target;
  readonly priority: (typeof PRIORITIES)[number];
  readonly may_be_shed: boolean;
  readonly expires_at?: number;
  readonly kept_until?: number;
  readonly trace?: { readonly parent: string; readonly event_type: string };
}

function deliveryOf(header: WireDelivery, json: string): RelayedDelivery {
  const { id, tenant, target, priority, may_be_shed, expires_at, kept_until, trace } = header;
  return {
    id,
    tenant: tenant ?? EVERY_TENANT,
    target,
    frame: new Frame(json, { event: 'notification', id, priority, mayBeShed: may_be_shed }),
    expiresAt: expires_at,
    keptUntil: kept_until,
    trace: trace && { parent: trace.parent, eventType: trace.event_type },
  };
}
