import { CorsPolicy } from './cors';

const asRecord = (list: readonly string[]): Record<string, string> =>
  Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), list[i + 1] ?? '']] : [])));

describe('CORS', () => {
  it('lets anybody read when no origin is configured, without credentials', () => {
    const policy = new CorsPolicy([]);
    expect(asRecord(policy.headersFor(undefined))).toEqual({ 'access-control-allow-origin': '*' });
    const headers = asRecord([...policy.headersFor('https://a.example'), ...policy.preflightHeaders]);
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': '*',
      'access-control-allow-headers': '*',
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it('echoes exactly the configured origins, and tells caches that it does', () => {
    const policy = new CorsPolicy(['https://a.example', 'https://b.example']);
    expect(asRecord(policy.headersFor('https://b.example'))).toMatchObject({
      vary: 'Origin',
      'access-control-allow-origin': 'https://b.example',
    });
    for (const stranger of [
      'https://a.example.evil',
      'http://a.example',
      'https://a.example:8443',
      'HTTPS://A.EXAMPLE',
      'null',
      '',
      undefined,
    ]) {
      expect(asRecord(policy.headersFor(stranger))).toEqual({ vary: 'Origin' });
    }
    expect(asRecord(policy.preflightHeaders)).toEqual({
      'access-control-allow-methods': 'GET, POST, PUT, DELETE, OPTIONS',
      'access-control-allow-headers': 'content-type, authorization, x-api-key, x-tenant-id',
    });
  });
});
