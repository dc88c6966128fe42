import type { ChannelName } from '../notification/ids';

/** One entry of a token's `channels` claim. */
export type ChannelPattern =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'prefix'; readonly prefix: string };

/** A trailing `*` stands for any continuation, the empty one included; any other text is one channel's name. */
export function parseChannelPattern(raw: string): ChannelPattern {
  return raw.endsWith('*') ? { kind: 'prefix', prefix: raw.slice(0, -1) } : { kind: 'exact', name: raw };
}

/** Whether a token with these patterns may hear the channel; without patterns it may hear any. O(patterns). */
export function mayHear(patterns: readonly ChannelPattern[] | undefined, channel: ChannelName): boolean {
  return (
    patterns === undefined ||
    patterns.some((pattern) =>
      pattern.kind === 'exact' ? pattern.name === channel : channel.startsWith(pattern.prefix),
    )
  );
}
