import { AccessList, bodyLimitBytes, needsTenant } from './access';

describe('who may knock', () => {
  const open = new AccessList({ documents: true, metrics: true });
  const closed = new AccessList({ documents: false, metrics: false });

  it.each([
    '/health',
    '/health/live',
    '/health/ready',
    '/metrics',
    '/docs',
    '/docs/app.css',
    '/openapi.json',
    '/asyncapi.json',
  ])('lets anybody ask %s', (path) => {
    expect(open.accessOf(path)).toBe('public');
  });

  it.each(['/metrics', '/docs', '/docs/app.css', '/openapi.json', '/asyncapi.json'])(
    'treats %s as any unknown path when it is not served here',
    (path) => {
      expect(closed.accessOf(path)).toBe('key');
    },
  );

  it.each([
    '/',
    '/health/',
    '/Health',
    '/healthz',
    '//health',
    '/docsx',
    '/stats',
    '/api/v1/nope',
    '/metrics/x',
    '/ws/',
    '*',
    '',
  ])('asks for a key at %j', (path) => {
    expect(open.accessOf(path)).toBe('key');
  });

  it('leaves /ws and /sse to their tokens', () => {
    expect(closed.accessOf('/ws')).toBe('token');
    expect(closed.accessOf('/sse')).toBe('token');
  });

  it('knows the routes that work for one tenant', () => {
    for (const path of [
      '/api/v1/notifications/send',
      '/api/v1/templates',
      '/api/v1/channels/x',
      '/api/v1/users/u/subscriptions',
    ]) {
      expect(needsTenant(path)).toBe(true);
    }
    for (const path of [
      '/stats',
      '/api/v1/stats',
      '/api/v1/tenants',
      '/api/v1/cluster/users/u',
      '/api/v1/templatesx',
      '/nope',
    ]) {
      expect(needsTenant(path)).toBe(false);
    }
  });

  it('limits bodies', () => {
    expect(bodyLimitBytes('/api/v1/notifications/send')).toBe(65_536);
    expect(bodyLimitBytes('/api/v1/notifications/batch')).toBe(1_048_576);
    expect(bodyLimitBytes('/api/v1/templates')).toBe(2_097_152);
  });
});
