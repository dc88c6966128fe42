import { addressedChannel, type ChannelName, parseUserId, type UserId } from '../notification/ids';
import { DEFAULT_PRIORITY, parsePriority, type Priority } from '../notification/priority';
import type { Target } from '../notification/target';
import { FAILED, type JsonScanner, type MemberReader } from './json-scanner';

/*
 * What is written alike at every door, read from the n-th member of an object; undefined for whatever is less usual or
 * wrong, which is left to a full parser.
 */

export type ToUser = Extract<Target, { kind: 'user' }>;
export type ToChannel = Extract<Target, { kind: 'channel' }>;
export type ToAll = Extract<Target, { kind: 'broadcast' }>;

export const BROADCAST: ToAll = { kind: 'broadcast' };

export function plainUser(scanner: JsonScanner, members: MemberReader, n: number): ToUser | undefined {
  const name = members.text(scanner, n);
  const user: UserId | undefined = name === undefined ? undefined : parseUserId(name);
  return user === undefined ? undefined : { kind: 'user', user };
}

export function plainChannel(scanner: JsonScanner, members: MemberReader, n: number): ToChannel | undefined {
  const name = members.text(scanner, n);
  const channel: ChannelName | undefined = name === undefined ? undefined : addressedChannel(name);
  return channel === undefined ? undefined : { kind: 'channel', channel };
}

/** The target whose kind and name are two members; everybody has no name. */
export function plainTarget(
  scanner: JsonScanner,
  members: MemberReader,
  kind: number,
  name: number,
): Target | undefined {
  switch (members.text(scanner, kind)) {
    case 'user':
      return plainUser(scanner, members, name);
    case 'channel':
      return plainChannel(scanner, members, name);
    case 'broadcast':
      return members.start(name) === FAILED ? BROADCAST : undefined;
    default:
      return undefined;
  }
}

/** The default where none is given. */
export function plainPriority(scanner: JsonScanner, members: MemberReader, n: number): Priority | undefined {
  return members.start(n) === FAILED ? DEFAULT_PRIORITY : parsePriority(members.text(scanner, n));
}
