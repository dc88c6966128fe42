import type { Target } from '../notification/target';

/** Names of REDIS_CHANNELS, each once, in order. */
export interface ChannelNames {
  readonly exact: readonly string[];
  readonly patterns: readonly string[];
}

export function channelNames(configured: readonly string[]): ChannelNames {
  const names = [...new Set(configured)];
  return { exact: names.filter((name) => !isPattern(name)), patterns: names.filter(isPattern) };
}

/**
 * Redis sends a message once for every subscription that its channel matches. The answer says for the subscription
 * `name` whether it is the one of them whose copy counts.
 */
export function firstMatch(names: ChannelNames): (name: string, channel: string) => boolean {
  const all = [...names.exact, ...names.patterns];
  const earlier = new Map(
    all.map((name, index) => {
      const overlapping = all.slice(0, index).filter((one) => mayOverlap(one, name));
      return [name, overlapping.map((one) => (isPattern(one) ? glob(one) : literal(one)))];
    }),
  );
  return (name, channel) => !(earlier.get(name)?.some((matches) => matches(channel)) ?? false);
}

/** Whether a target is the one that a channel's name ends with: `…user:<id>`, `…channel:<name>`, `…broadcast`. */
export function isNamedBy(channel: string, target: Target): boolean {
  const named = /^(?:.*?:)?(?:(user|channel):(.*)|broadcast)$/s.exec(channel);
  if (named === null) return false;
  const [, kind, name] = named;
  switch (target.kind) {
    case 'user':
      return kind === 'user' && name === target.user;
    case 'users':
      return kind === 'user' && target.users.length === 1 && name === target.users[0];
    case 'channel':
      return kind === 'channel' && name === target.channel;
    case 'channels':
      return kind === 'channel' && target.channels.length === 1 && name === target.channels[0];
    case 'broadcast':
      return kind === undefined;
  }
}

function isPattern(name: string): boolean {
  return /[*?[]/.test(name);
}

/** False when what stands before their first special characters keeps them apart: usual, and free per message. */
function mayOverlap(one: string, other: string): boolean {
  const [start = '', otherStart = ''] = [one, other].map((name) => /^[^*?[\\]*/.exec(name)?.[0]);
  return start.startsWith(otherStart) || otherStart.startsWith(start);
}

function literal(name: string): (channel: string) => boolean {
  return (channel) => channel === name;
}

/** Matches as Redis does: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, a backslash before what is meant literally; byte by byte. */
function glob(pattern: string): (channel: string) => boolean {
  const source = bytes(pattern).replaceAll(
    /\*+|\?|\[(\^?)((?:\\.|[^\]\\])*)\]?|\\?(.)/gs,
    (token: string, negated: string | undefined, set: string | undefined, character: string | undefined) => {
      if (token.startsWith('*')) return '[^]*';
      if (token === '?') return '[^]';
      if (set === undefined) return escaped(character ?? '');
      return `[${negated ?? ''}${members(set)}]`;
    },
  );
  const expression = new RegExp(`^${source}$`);
  return (channel) => expression.test(bytes(channel));
}

/** The inside of a set: an escaped character, a range in whichever direction, or a character. */
function members(set: string): string {
  return set.replaceAll(/\\(.)|(.)-(.)|(.)/gs, (_, escape?: string, from?: string, to?: string, plain?: string) => {
    if (from === undefined || to === undefined) return escaped(escape ?? plain ?? '');
    return from < to ? `${escaped(from)}-${escaped(to)}` : `${escaped(to)}-${escaped(from)}`;
  });
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** One character for each byte of the UTF-8 text. */
function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
