import type { ConnectionId, NodeId, TenantId, UserId } from '../notification/ids';
import type { Instance } from './instance';

/** One open connection, as the cluster knows it. */
export interface Session {
  readonly connection: ConnectionId;
  readonly node: NodeId;
  readonly tenant: TenantId;
  readonly user: UserId;
  readonly transport: 'websocket' | 'sse';
  /** Milliseconds since the epoch. */
  readonly connectedAt: number;
}

export interface DirectoryCounts {
  readonly user: number;
  readonly tenant: number;
}

/**
 * Who is connected where, over all nodes. Entries die with their node. Rejects with StoreUnavailableError when the
 * medium cannot be reached; the caller decides what a missing answer means.
 */
export abstract class SessionDirectory {
  /** Resolves when every other node can find the session. */
  abstract add(session: Session): Promise<void>;

  abstract remove(session: Session): Promise<void>;

  /** Connections of this user and of this tenant on the other live nodes. */
  abstract countElsewhere(tenant: TenantId, user: UserId): Promise<DirectoryCounts>;

  /** Those of the users that have a connection, or one of this transport, on another live node. */
  abstract presentElsewhere(
    tenant: TenantId,
    users: readonly UserId[],
    transport?: Session['transport'],
  ): Promise<ReadonlySet<UserId>>;

  /** The other live instances where one of the users has a connection. One round trip. */
  abstract instancesElsewhere(tenant: TenantId, users: readonly UserId[]): Promise<ReadonlySet<Instance>>;

  /** Users with a connection anywhere, of this tenant or of all; `here` of them on this node. */
  abstract countUsers(here: number, tenant?: TenantId): Promise<number>;

  /** The other live nodes. */
  abstract otherNodes(): Promise<readonly NodeId[]>;
}

const NOWHERE: Promise<DirectoryCounts> = Promise.resolve({ user: 0, tenant: 0 });
const NOBODY: Promise<ReadonlySet<UserId>> = Promise.resolve(new Set());
const DONE = Promise.resolve();

/** The directory of a node without others: everything elsewhere is nothing. */
export class LocalSessionDirectory extends SessionDirectory {
  add(): Promise<void> {
    return DONE;
  }

  remove(): Promise<void> {
    return DONE;
  }

  countElsewhere(): Promise<DirectoryCounts> {
    return NOWHERE;
  }

  presentElsewhere(): Promise<ReadonlySet<UserId>> {
    return NOBODY;
  }

  instancesElsewhere(): Promise<ReadonlySet<Instance>> {
    return Promise.resolve(new Set<Instance>());
  }

  countUsers(here: number): Promise<number> {
    return Promise.resolve(here);
  }

  otherNodes(): Promise<readonly []> {
    return Promise.resolve([]);
  }
}
