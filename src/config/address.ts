import { isIP } from 'node:net';

const HOST = String.raw`(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?`;
const LOGIN = String.raw`(?:[^@/\s]*@)?`;
const REDIS_SERVER = new RegExp(`^rediss?://${LOGIN}${HOST}(?:/\\d{0,5})?/?(?:\\?\\S*)?$`, 'i');
const REDIS_SENTINEL = new RegExp(`^rediss?\\+sentinel://${LOGIN}${HOST}(?:,${HOST})*/[\\w.-]+(?:\\?\\S*)?$`, 'i');
const REDIS_CLUSTER = new RegExp(`^rediss?\\+cluster://${LOGIN}${HOST}(?:,${HOST})*/?(?:\\?\\S*)?$`, 'i');

/** One server, Sentinel with the master's name as path, or the seeds of a Redis Cluster; with or without TLS. */
export function isRedisUrl(value: string): boolean {
  return REDIS_SERVER.test(value) || REDIS_SENTINEL.test(value) || REDIS_CLUSTER.test(value);
}

/** A PostgreSQL server's URL, or `embedded:` with the folder of a database of Ara's own. */
export function isDatabaseUrl(value: string): boolean {
  return /^postgres(ql)?:\/\/\S+$/i.test(value) || /^embedded:.+$/.test(value);
}

export function isHttpUrl(value: string): boolean {
  return /^https?:$/.test(protocolOf(value));
}

/** What a browser sends as `Origin`: scheme, host and perhaps a port; or `*` for any. */
export function isOrigin(value: string): boolean {
  return value === '*' || (/^[a-z][a-z\d+.-]*:\/\/[^\s/?#@]+\/?$/i.test(value) && protocolOf(value) !== '');
}

/** The spelling that browsers use: lower case, without the default port and a final slash. */
export function normalOrigin(value: string): string {
  return isHttpUrl(value) ? new URL(value).origin : value.replace(/\/$/, '').toLowerCase();
}

/** A number of proxies, `true`, `false`, an address, or a network in CIDR form. */
export function isProxy(value: string): boolean {
  if (/^(\d{1,2}|true|false)$/i.test(value)) return true;
  const [address = '', bits, rest] = value.split('/');
  const version = isIP(address);
  if (version === 0 || rest !== undefined) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function protocolOf(value: string): string {
  return URL.canParse(value) ? new URL(value).protocol : '';
}
