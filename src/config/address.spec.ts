import { isDatabaseUrl, isHttpUrl, isOrigin, isProxy, isRedisUrl, normalOrigin } from './address';

describe('addresses', () => {
  it.each([
    'redis://localhost:6379',
    'redis://redis',
    'redis://:p%40ss@10.0.0.1:6379/3',
    'rediss://user:pa:ss@redis.internal:6380/0',
    'redis://[::1]:6379',
    'redis+sentinel://h:26379,h2:26379/mymaster?db=0',
    'rediss+sentinel://user:pw@h:26379/mymaster',
    'redis+cluster://h:7000,h2:7001',
    'rediss+cluster://u:p@h:7000,h2:7001/',
  ])('%s is a Redis URL', (url) => {
    expect(isRedisUrl(url)).toBe(true);
  });

  it.each([
    '',
    'localhost:6379',
    'http://localhost:6379',
    'redis://',
    'redis://a,b',
    'redis://h:port',
    'redis+sentinel://h:26379',
    'redis+sentinel://h:26379/',
    'redis+sentinel://,h/mymaster',
    'redis+cluster://h:7000/0',
    'redis://h:6379 ',
  ])('%j is no Redis URL', (url) => {
    expect(isRedisUrl(url)).toBe(false);
  });

  it('tells database URLs', () => {
    expect(
      ['postgres://u:p@db/ara', 'postgresql://db', 'embedded:./data', 'embedded:/var/lib/ara'].filter(isDatabaseUrl),
    ).toHaveLength(4);
    expect(['mysql://db', 'embedded:', 'postgres://', 'db'].filter(isDatabaseUrl)).toEqual([]);
  });

  it('tells HTTP URLs', () => {
    expect(['http://localhost:4317', 'https://c'].filter(isHttpUrl)).toHaveLength(2);
    expect(['localhost:4317', 'grpc://c', ''].filter(isHttpUrl)).toEqual([]);
  });

  it.each([
    ['https://App.example.org', 'https://app.example.org'],
    ['https://app.example.org:443/', 'https://app.example.org'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['chrome-extension://AbC', 'chrome-extension://abc'],
  ])('%s is the origin %s', (origin, normal) => {
    expect(isOrigin(origin)).toBe(true);
    expect(normalOrigin(origin)).toBe(normal);
  });

  it.each([
    'app.example.org',
    'https://',
    'https://a/b',
    'https://a?b',
    'https://u@a',
    'null',
    'https://a b',
    'https://*.a:x',
  ])('%j is no origin', (origin) => {
    expect(isOrigin(origin)).toBe(false);
  });

  it('tells proxies', () => {
    const good = ['0', '12', 'true', 'False', '10.0.0.0/8', '192.168.0.1', '::1', 'fd00::/8', '0.0.0.0/0'];
    expect(good.filter(isProxy)).toEqual(good);
    expect(
      ['', '-1', '100', '10.0.0.0/33', '::/129', '10.0.0/8', 'loopback', '10.0.0.0/8/8', '1.2.3.4/'].filter(isProxy),
    ).toEqual([]);
  });
});
