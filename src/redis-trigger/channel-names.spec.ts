import { addressedChannel, parseUserId, type UserId } from '../notification/ids';
import { channelNames, firstMatch, isNamedBy } from './channel-names';

const user = (id: string): UserId => parseUserId(id)!;

describe('names of Pub/Sub channels', () => {
  it('are patterns when they hold *, ? or [, and count once', () => {
    expect(channelNames(['a', 'a:*', 'b?', '[c]', 'a', 'a:*'])).toEqual({
      exact: ['a'],
      patterns: ['a:*', 'b?', '[c]'],
    });
  });

  it.each([
    ['n:*', 'n:1', true],
    ['n:*', 'n:', true],
    ['n:*', 'm:1', false],
    ['*:x', 'a:b:x', true],
    ['n.', 'nx', false],
    ['n?', 'nx', true],
    ['n?', 'n', false],
    ['n?', 'nä', false],
    ['n??', 'nä', true],
    ['[ab]c', 'bc', true],
    ['[^ab]c', 'bc', false],
    ['[^ab]c', 'xc', true],
    ['[a-c]x', 'bx', true],
    ['[a-c]x', 'dx', false],
    ['[c-a]x', 'bx', true],
    ['[a-]x', '-x', true],
    ['[a\\-c]x', 'bx', false],
    ['[]x', 'x', false],
    ['[^]x', 'ax', true],
    ['a\\*[b]', 'a*b', true],
    ['a\\*[b]', 'axb', false],
    ['a$(.*[)]', 'a$(.*)', true],
  ])('%s hears %s: %s, as Redis decides', (pattern, channel, isHeard) => {
    const other = '*';
    const isFirst = firstMatch({ exact: [], patterns: [pattern, other] });
    // The second subscription counts where the first does not hear.
    expect(isFirst(other, channel)).toBe(!isHeard);
    expect(isFirst(pattern, channel)).toBe(true);
  });

  it('of overlapping subscriptions exactly one counts', () => {
    const names = channelNames(['n:*', 'n:user:*', 'n:user:1', '*']);
    const isFirst = firstMatch(names);
    const counting = [...names.exact, ...names.patterns].filter((name) => isFirst(name, 'n:user:1'));
    expect(counting).toEqual(['n:user:1']);
  });
});

describe('the target that a channel names', () => {
  it.each([
    ['notification:user:u', { kind: 'user', user: user('u') }, true],
    ['notification:user:a:user:b', { kind: 'user', user: user('a:user:b') }, true],
    ['notification:user:v', { kind: 'user', user: user('u') }, false],
    ['notification:user:u', { kind: 'users', users: [user('u')] }, true],
    ['notification:user:u', { kind: 'users', users: [user('u'), user('v')] }, false],
    ['notification:user:broadcast', { kind: 'broadcast' }, false],
    ['notification:broadcast', { kind: 'broadcast' }, true],
    ['notification:broadcast', { kind: 'users', users: [user('u')] }, false],
    ['notification:channel:c', { kind: 'channel', channel: addressedChannel('c') }, true],
    ['notification:channel:c', { kind: 'user', user: user('c') }, false],
    ['notification:channel:c', { kind: 'channels', channels: [addressedChannel('c')] }, true],
    ['shop:events', { kind: 'broadcast' }, false],
  ] as const)('%s and %j: %s', (channel, target, isNamed) => {
    expect(isNamedBy(channel, target)).toBe(isNamed);
  });
});
