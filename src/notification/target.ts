import type { ChannelName, TenantId, UserId } from './ids';

/** Whom a notification is for. Lists hold no name twice. */
export type Target =
  | { readonly kind: 'user'; readonly user: UserId }
  | { readonly kind: 'users'; readonly users: readonly UserId[] }
  | { readonly kind: 'broadcast'; readonly audience?: Audience }
  | { readonly kind: 'channel'; readonly channel: ChannelName }
  | { readonly kind: 'channels'; readonly channels: readonly ChannelName[] };

export type TargetKind = Target['kind'];

/** In the order in which metrics and documents list them. */
export const TARGET_KINDS = [
  'user',
  'users',
  'broadcast',
  'channel',
  'channels',
] as const satisfies readonly TargetKind[];

/** Narrows a broadcast; echoed to clients as it was given. */
export type Audience =
  | { readonly type: 'All' }
  | { readonly type: 'Roles'; readonly value: readonly string[] }
  | { readonly type: 'Users'; readonly value: readonly string[] }
  | { readonly type: 'Channels'; readonly value: readonly string[] };

/** What an audience asks of a connection. */
export interface AudienceMember {
  readonly user: UserId;
  readonly roles: readonly string[];
  /** Whether a notification to this channel would reach it: by subscription, or as a listener to all. */
  hears(channel: ChannelName): boolean;
}

/** Every tenant at once: what an unscoped Redis trigger may address. */
export const EVERY_TENANT = Symbol('every tenant');

export type TenantScope = TenantId | typeof EVERY_TENANT;

/** Only `user` and `users` targets are kept for those who are absent. */
export function isStorable(target: Target): target is Extract<Target, { kind: 'user' | 'users' }> {
  return target.kind === 'user' || target.kind === 'users';
}

/** The users that a storable target names. */
export function usersOf(target: Extract<Target, { kind: 'user' | 'users' }>): readonly UserId[] {
  return target.kind === 'user' ? [target.user] : target.users;
}

/** A predicate over connections: does this audience include the member? Sets are built once, so a call is O(1) in the list's length but for channels. */
export function admits(audience: Audience | undefined): (member: AudienceMember) => boolean {
  if (audience === undefined || audience.type === 'All') return () => true;
  switch (audience.type) {
    case 'Roles': {
      const roles = new Set(audience.value);
      return (member) => member.roles.some((role) => roles.has(role));
    }
    case 'Users': {
      const users = new Set(audience.value);
      return (member) => users.has(member.user);
    }
    case 'Channels': {
      const channels = [...new Set(audience.value)] as ChannelName[];
      return (member) => channels.some((channel) => member.hears(channel));
    }
  }
}
