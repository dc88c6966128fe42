import { type ChannelName, parseChannelName, type TenantId } from '../notification/ids';
import { EVERY_TENANT, type Target, type TenantScope } from '../notification/target';
import { encodeKeyPart } from '../redis-ha/redis-key';
import type { Interest } from './cluster-bus';

/** The names under which nodes hear each other; a node subscribes to those that concern its connections. */
export class Topics {
  constructor(private readonly prefix: string) {}

  /** Every node hears it. */
  get all(): string {
    return `${this.prefix}:all`;
  }

  /** The one of a single instance. */
  instance(instance: string): string {
    return `${this.prefix}:node:${instance}`;
  }

  of(interest: Interest): string {
    switch (interest.kind) {
      case 'tenant':
        return this.tenant(interest.tenant);
      case 'all-channels':
        return this.listeners(interest.tenant);
      case 'channel':
        return this.channel(interest.tenant, interest.channel);
    }
  }

  /** Where those listen whom a group target means. */
  ofGroup(scope: TenantScope, target: Extract<Target, { kind: 'broadcast' | 'channel' | 'channels' }>): string[] {
    if (scope === EVERY_TENANT) return [this.all];
    if (target.kind === 'broadcast') return [this.tenant(scope)];
    const channels = target.kind === 'channel' ? [target.channel] : target.channels;
    // A name that the rule forbids has no subscribers; who hears all channels hears it.
    const named = channels.filter((channel) => parseChannelName(channel) !== undefined);
    return [...named.map((channel) => this.channel(scope, channel)), this.listeners(scope)];
  }

  private tenant(tenant: TenantId): string {
    return `${this.prefix}:tenant:${encodeKeyPart(tenant)}`;
  }

  private listeners(tenant: TenantId): string {
    return `${this.prefix}:listeners:${encodeKeyPart(tenant)}`;
  }

  private channel(tenant: TenantId, channel: ChannelName): string {
    return `${this.prefix}:channel:${encodeKeyPart(tenant)}:${encodeKeyPart(channel)}`;
  }
}
