import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ClusterBus } from '../cluster/cluster-bus';
import { SessionDirectory } from '../cluster/session-directory';
import { ConnectionRegistry } from '../connection/connection-registry';
import type { TenantId, UserId } from '../notification/ids';
import { admits, EVERY_TENANT, isStorable, type Target, type TenantScope, usersOf } from '../notification/target';

/** Answers whether those whom a target means are connected, here or on another node. */
@Injectable()
export class Recipients implements OnModuleInit {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly directory: SessionDirectory,
    private readonly bus: ClusterBus,
  ) {}

  onModuleInit(): void {
    this.bus.onAsk('recipients', ({ tenant, target }) => this.someoneIsHere(tenant ?? EVERY_TENANT, target));
  }

  /** True only when every user is known to be connected; a directory that cannot be asked knows nobody. */
  async allAreConnected(tenant: TenantId, users: readonly UserId[]): Promise<boolean> {
    const here = this.registry.tenant(tenant);
    const missing = users.filter((user) => (here?.ofUser(user).length ?? 0) === 0);
    if (missing.length === 0) return users.length > 0;
    const elsewhere = await this.directory.presentElsewhere(tenant, missing).catch(() => new Set<UserId>());
    return missing.every((user) => elsewhere.has(user));
  }

  /** Whether at least one connection would receive it. */
  async someoneIsConnected(scope: TenantScope, target: Target): Promise<boolean> {
    if (this.someoneIsHere(scope, target)) return true;
    const tenant = scope === EVERY_TENANT ? null : scope;
    return (await this.bus.ask('recipients', { tenant, target })).includes(true);
  }

  private someoneIsHere(scope: TenantScope, target: Target): boolean {
    for (const tenant of this.registry.inScope(scope)) {
      if (isStorable(target)) {
        if (usersOf(target).some((user) => tenant.ofUser(user).length > 0)) return true;
      } else if (target.kind === 'broadcast') {
        if (tenant.connections.some(admits(target.audience))) return true;
      } else {
        const channels = target.kind === 'channel' ? [target.channel] : target.channels;
        if (channels.some((channel) => tenant.ofChannel(channel).length > 0)) return true;
        if (channels.some((channel) => tenant.listeners.some(({ identity }) => identity.mayHear(channel)))) return true;
      }
    }
    return false;
  }
}
