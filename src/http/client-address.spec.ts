import * as fc from 'fast-check';
import { isIP } from 'node:net';
import { clientAddress } from './client-address';

const PROXIES = ['10.0.0.0/8', 'fd00::/8', '192.168.1.7'];

describe('clientAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    [undefined, 'unknown'],
  ])('takes the peer %s as %s when no proxy is trusted, whatever the header says', (peer, expected) => {
    expect(clientAddress(peer, undefined, 0)).toBe(expected);
    expect(clientAddress(peer, '203.0.113.9', 0)).toBe(expected);
    expect(clientAddress(peer, '203.0.113.9', [])).toBe(expected);
  });

  it.each([
    [1, 'forged, 203.0.113.9', '203.0.113.9'],
    [2, 'forged, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    [1, 'forged, 203.0.113.9, 10.0.0.2', '10.0.0.2'],
    [3, '203.0.113.9, 10.0.0.2', '203.0.113.9'],
    [1, '', '10.0.0.1'],
    [1, 'unknown', '10.0.0.1'],
    [2, '_hidden, 10.0.0.2', '10.0.0.2'],
  ])('steps over %i proxies in %j to %s', (hops, header, expected) => {
    expect(clientAddress('10.0.0.1', header, hops)).toBe(expected);
  });

  it.each([
    ['10.0.0.1', 'forged, 203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '198.51.100.1, 203.0.113.9, 10.9.9.9, 192.168.1.7', '203.0.113.9'],
    ['::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['fd00::5', '2001:db8::9', '2001:db8::9'],
    ['192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['192.168.1.8', '203.0.113.9', '192.168.1.8'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['10.0.0.1', 'not-an-address', '10.0.0.1'],
    [undefined, '203.0.113.9', 'unknown'],
  ])('walks from %s through trusted networks in %j to %s', (peer, header, expected) => {
    expect(clientAddress(peer, header, PROXIES)).toBe(expected);
  });

  it('believes a proxy that is trusted in IPv6 clothes', () => {
    expect(clientAddress('10.0.0.1', '203.0.113.9', ['::ffff:10.0.0.0/104'])).toBe('203.0.113.9');
  });

  it.each([
    ['203.0.113.9:5123', '203.0.113.9'],
    ['[2001:db8::9]:5123', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['::FFFF:203.0.113.9', '203.0.113.9'],
    ['::ffff:cb00:7109', '203.0.113.9'],
  ])('reads the entry %s as %s', (entry, expected) => {
    expect(clientAddress('10.0.0.1', entry, 1)).toBe(expected);
  });

  it('reads several headers as one', () => {
    expect(clientAddress('10.0.0.1', ['198.51.100.1', '203.0.113.9'], 1)).toBe('203.0.113.9');
  });

  it('never believes what stands left of the trusted hops, and always gives an address', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), fc.integer({ min: 1, max: 1 }), (forged, client, hops) => {
        expect(clientAddress('10.0.0.1', `${forged}, ${client}`, hops)).toBe(client);
      }),
    );
    fc.assert(
      fc.property(fc.string(), fc.oneof(fc.nat(5), fc.constant(PROXIES)), (header, trust) => {
        expect(isIP(clientAddress('10.0.0.1', header, trust))).not.toBe(0);
      }),
    );
  });
});
