import { BlockList, isIP, SocketAddress } from 'node:net';

const MAPPED = '::ffff:';
const BRACKETED = /^\[([^\]]*)\](?::\d+)?$/;
const WITH_PORT = /^([\d.]+):\d+$/;

/** Trusted networks compiled once per configured list. */
const compiled = new WeakMap<readonly string[], BlockList>();

/**
 * The address of whoever sent a request, for limits and logs; one function for HTTP requests and upgrades.
 *
 * Each proxy appends the address it was called from to `X-Forwarded-For`, so the header is read from the right: as many
 * steps as there are trusted proxies (`trustProxy` a number), or for as long as the address reached lies in a trusted
 * network (`trustProxy` a list of CIDRs or addresses). What stands further left was written by the client and is not
 * believed; an entry that is no address ends the walk at the last one that is.
 *
 * IPv4 addresses in IPv6 clothes come out as IPv4, IPv6 in its canonical form without zone, ports are cut off. A peer
 * without address (a Unix socket, or a connection that is gone) is `unknown`.
 */
export function clientAddress(
  peer: string | undefined,
  xForwardedFor: string | readonly string[] | undefined,
  trustProxy: number | readonly string[],
): string {
  let address = peer === undefined ? 'unknown' : (canonical(peer) ?? peer);
  if (xForwardedFor === undefined || trustProxy === 0) return address;
  const hops = xForwardedFor.toString().split(',').reverse();
  for (const [distance, hop] of hops.entries()) {
    if (typeof trustProxy === 'number' ? distance >= trustProxy : !isTrusted(address, trustProxy)) break;
    const next = canonical(withoutPort(hop.trim()));
    if (next === undefined) break;
    address = next;
  }
  return address;
}

function isTrusted(address: string, networks: readonly string[]): boolean {
  let list = compiled.get(networks);
  if (list === undefined) {
    list = compile(networks);
    compiled.set(networks, list);
  }
  return list.check(address, familyOf(address));
}

function compile(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [base = '', prefix] = network.split('/');
    if (prefix === undefined) list.addAddress(base, familyOf(base));
    else list.addSubnet(base, Number(prefix), familyOf(base));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

function withoutPort(hop: string): string {
  return (BRACKETED.exec(hop) ?? WITH_PORT.exec(hop))?.[1] ?? hop;
}

/** One spelling per address, or undefined for what is none. */
function canonical(text: string): string | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  if (family === 4) return text;
  // First as it is: a peer in this form comes with each request, and building a SocketAddress is slow.
  return unmapped(text) ?? canonicalIPv6(text);
}

function canonicalIPv6(text: string): string {
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return unmapped(address) ?? address;
}

function unmapped(address: string): string | undefined {
  if (!address.startsWith(MAPPED)) return undefined;
  const embedded = address.slice(MAPPED.length);
  return isIP(embedded) === 4 ? embedded : undefined;
}
