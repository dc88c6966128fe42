import type { ChannelName, ConnectionId, NodeId, TenantId, UserId } from '../notification/ids';

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

  /** Those of the users that have a connection on another live node. */
  abstract presentElsewhere(tenant: TenantId, users: readonly UserId[]): Promise<ReadonlySet<UserId>>;

  /** Sessions on the other live nodes. */
  abstract sessionsElsewhere(
    tenant: TenantId | undefined,
    user: UserId,
  ): Promise<readonly (Session & { readonly channels: readonly ChannelName[] })[]>;

  /** The other live nodes. */
  abstract otherNodes(): Promise<readonly NodeId[]>;

  abstract open(): Promise<void>;

  abstract close(): Promise<void>;
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

  sessionsElsewhere(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  otherNodes(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  open(): Promise<void> {
    return DONE;
  }

  close(): Promise<void> {
    return DONE;
  }
}
