import * as fc from 'fast-check';
import { addressedChannel } from '../notification/ids';
import { mayHear, parseChannelPattern } from './channel-access';

const hears = (patterns: string[], channel: string): boolean =>
  mayHear(patterns.map(parseChannelPattern), addressedChannel(channel));

describe('mayHear', () => {
  it.each<[string[], string, boolean]>([
    [['orders'], 'orders', true],
    [['orders'], 'orders.1', false],
    [['orders'], 'Orders', false],
    [['orders.*'], 'orders.1', true],
    [['orders.*'], 'orders.', true],
    [['orders.*'], 'orders', false],
    [['orders.*'], 'ordersX1', false],
    [['user-1-*'], 'user-11-x', false],
    [['*'], 'anything', true],
    [['news', 'user-1-*'], 'user-1-orders', true],
    [['a*b'], 'axb', false],
    [[''], 'x', false],
    [[], 'x', false],
  ])('with %j, %s: %s', (patterns, channel, expected) => {
    expect(hears(patterns, channel)).toBe(expected);
  });

  it('lets a token without the claim hear any channel', () => {
    expect(mayHear(undefined, addressedChannel('x'))).toBe(true);
  });

  it('never takes more than one reading of a pattern', () => {
    const name = fc.stringMatching(/^[a-c.-]{1,6}$/);
    fc.assert(
      fc.property(name, name, fc.boolean(), (pattern, channel, open) => {
        expect(hears([open ? `${pattern}*` : pattern], channel)).toBe(
          open ? channel.slice(0, pattern.length) === pattern : channel === pattern,
        );
      }),
    );
  });
});
