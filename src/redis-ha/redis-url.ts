export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/** Where Redis is and how to get in. The first of the hosts is not special. */
export type RedisAddress = Access & { readonly hosts: readonly [RedisHost, ...RedisHost[]] } & (
    | { readonly kind: 'server'; readonly db: number }
    | { readonly kind: 'cluster' }
    | {
        readonly kind: 'sentinel';
        readonly db: number;
        readonly masterName: string;
        readonly sentinelUsername?: string;
        readonly sentinelPassword?: string;
      }
  );

const SHAPE = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/i;
const HOST = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d+))?$/;
const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26_379;

/**
 * Reads `redis://[user][:password@]host[:port][/db]`, `redis+sentinel://…host,host/master[?db=0]` and
 * `redis+cluster://…host,host`; `rediss` for TLS. Sentinels with an ACL of their own: `?sentinel_username=…` and
 * `?sentinel_password=…`. Throws an Error that tells what is wrong and never repeats a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme = '', kind, login, hostList = '', path = '', query = ''] = SHAPE.exec(url.trim()) ?? fail('its form');
  const options = new URLSearchParams(query);
  const access = { ...parseLogin(login), tls: scheme.toLowerCase() === 'rediss' };
  const isSentinel = kind?.toLowerCase() === 'sentinel';
  const [first, ...others] = hostList.split(',').map((host) => parseHost(host, isSentinel));
  const hosts = [first ?? fail('the host'), ...others] as const;
  if (isSentinel) {
    if (path === '') fail('the name of the master, which stands behind the hosts');
    const sentinelUsername = options.get('sentinel_username');
    const sentinelPassword = options.get('sentinel_password');
    return {
      kind: 'sentinel',
      hosts,
      ...access,
      db: parseDb(options.get('db')),
      masterName: decode(path),
      ...(sentinelUsername !== null && { sentinelUsername }),
      ...(sentinelPassword !== null && { sentinelPassword }),
    };
  }
  if (kind !== undefined) return { kind: 'cluster', hosts, ...access };
  if (others.length > 0) fail('the host: several of them need redis+sentinel:// or redis+cluster://');
  return { kind: 'server', hosts, ...access, db: parseDb(path === '' ? options.get('db') : path) };
}

/** For people: hosts and kind, without user and password. */
export function describeAddress({ kind, hosts, tls }: RedisAddress): string {
  const scheme = `${tls ? 'rediss' : 'redis'}${kind === 'server' ? '' : `+${kind}`}`;
  return `${scheme}://${hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')}`;
}

function parseLogin(login: string | undefined): Omit<Access, 'tls'> {
  if (login === undefined || login === '') return {};
  const colon = login.indexOf(':');
  const username = decode(colon < 0 ? login : login.slice(0, colon));
  return { ...(username !== '' && { username }), ...(colon >= 0 && { password: decode(login.slice(colon + 1)) }) };
}

function parseHost(text: string, isSentinel: boolean): RedisHost {
  const [, host = '', port] = HOST.exec(text) ?? fail('the host');
  const fallback = isSentinel ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT;
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? fallback : Number(port) };
}

function parseDb(text: string | null): number {
  const digits = (text ?? '').replace(/\/$/, '') || '0';
  return /^\d{1,5}$/.test(digits) ? Number(digits) : fail('the number of the database');
}

/** A password may hold a `%` that begins no escape. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function fail(part: string): never {
  throw new Error(`REDIS_URL cannot be understood: check ${part}`);
}
