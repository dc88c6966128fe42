import { describeAddress, parseRedisUrl, type RedisAddress } from './redis-url';

const host = (name: string, port: number): { host: string; port: number } => ({ host: name, port });

describe('parseRedisUrl', () => {
  it.each<[string, RedisAddress]>([
    ['redis://localhost:6379', { kind: 'server', hosts: [host('localhost', 6379)], tls: false, db: 0 }],
    ['redis://redis', { kind: 'server', hosts: [host('redis', 6379)], tls: false, db: 0 }],
    ['redis://redis/', { kind: 'server', hosts: [host('redis', 6379)], tls: false, db: 0 }],
    [
      'redis://:p%40ss@10.0.0.1:6380/3',
      { kind: 'server', hosts: [host('10.0.0.1', 6380)], tls: false, db: 3, password: 'p@ss' },
    ],
    [
      'rediss://user:pa:ss%@redis.internal:6380/0',
      { kind: 'server', hosts: [host('redis.internal', 6380)], tls: true, db: 0, username: 'user', password: 'pa:ss%' },
    ],
    ['redis://[::1]:7000', { kind: 'server', hosts: [host('::1', 7000)], tls: false, db: 0 }],
    [
      'redis+sentinel://h:26379,h2/mymaster?db=2',
      { kind: 'sentinel', hosts: [host('h', 26379), host('h2', 26379)], tls: false, db: 2, masterName: 'mymaster' },
    ],
    [
      'rediss+sentinel://u:p@h:1/m?sentinel_username=su&sentinel_password=sp',
      {
        kind: 'sentinel',
        hosts: [host('h', 1)],
        tls: true,
        db: 0,
        masterName: 'm',
        username: 'u',
        password: 'p',
        sentinelUsername: 'su',
        sentinelPassword: 'sp',
      },
    ],
    ['redis+cluster://h:7000,h2:7001', { kind: 'cluster', hosts: [host('h', 7000), host('h2', 7001)], tls: false }],
    [
      'REDISS+Cluster://u:p@h:7000/',
      { kind: 'cluster', hosts: [host('h', 7000)], tls: true, username: 'u', password: 'p' },
    ],
  ])('%s', (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address);
  });

  it.each([
    'http://:secret@h',
    'redis://:secret@',
    'redis://:secret@a,b',
    'redis://:secret@h:port',
    'redis://:secret@h:6379/one',
    'redis+sentinel://:secret@h:26379',
    'redis+sentinel://:secret@h,/mymaster',
    'redis+cluster://:secret@,h',
  ])('refuses %s and keeps the password to itself', (url) => {
    const attempt = (): unknown => parseRedisUrl(url);
    expect(attempt).toThrow(/^REDIS_URL cannot be understood/);
    expect(attempt).not.toThrow(/secret/);
  });
});

it('describeAddress shows where, not who', () => {
  expect(describeAddress(parseRedisUrl('redis://user:secret@[::1]/3'))).toBe('redis://[::1]:6379');
  expect(describeAddress(parseRedisUrl('rediss+sentinel://user:secret@a,b:7/m'))).toBe('rediss+sentinel://a:26379,b:7');
});
