import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AraProcess } from '../support/ara-process';
import { tokenFor } from '../support/tokens';
import { http } from '../support/http';
import { WsClient } from '../support/ws-client';

// Every documented way to say a tenant's limits, as its clients meet them.
describe('limits of tenants', () => {
  let folder: string;
  let ara: AraProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ara-tenants-'));
    mkdirSync(join(folder, 'config'));
    writeFileSync(
      join(folder, 'config/default.toml'),
      `[tenant.default_limits]
       max_connections = 1
       [tenant.tenant_overrides.premium]
       max_connections = 5
       max_connections_per_user = 3
       max_subscriptions_per_connection = 2`,
    );
    ara = await AraProcess.start(
      {
        TENANT_ENABLED: 'true',
        // They win over the file, and what a tenant's own settings leave out comes from them.
        TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS: '4',
        TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: '2',
        TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION: '1',
        TENANT_ACME_CORP_MAX_CONNECTIONS_PER_USER: '1',
        // In place of them, a tenant's limits count.
        WEBSOCKET_MAX_CONNECTIONS_PER_USER: '1',
        WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION: '50',
      },
      { cwd: folder },
    );
  }, 90_000);

  afterAll(async () => {
    await ara.stop();
    rmSync(folder, { recursive: true });
  });

  /** Opens one and says what became of it: `open`, or the message of its refusal. */
  async function open(tenant: string | undefined, user: string, opened: WsClient[]): Promise<string> {
    const client = await ara.ws(user, tenant === undefined ? {} : { tenant_id: tenant });
    client.send('{"type":"Ping"}');
    const frame = await client.next((one) => one.type === 'pong' || one.type === 'error');
    if (frame.type === 'pong') opened.push(client);
    else expect(frame).toMatchObject({ code: 'CONNECTION_LIMIT' });
    return frame.type === 'pong' ? 'open' : String(frame['message']);
  }

  it.each<[string | undefined, number, number]>([
    [undefined, 2, 4],
    ['plain', 2, 4],
    ['acme-corp', 1, 4],
    ['premium', 3, 5],
  ])('tenant %s: %d connections of a user, %d of all', async (tenant, ofUser, ofAll) => {
    const opened: WsClient[] = [];
    for (let n = 0; n < ofUser; n++) expect(await open(tenant, 'ann', opened)).toBe('open');
    const refusal = `User ann connection limit exceeded (${ofUser}/${ofUser})`;
    expect(await open(tenant, 'ann', opened)).toBe(refusal);
    const query = `token=${tokenFor('ann', tenant === undefined ? {} : { tenant_id: tenant })}`;
    const stream = await http('GET', ara.url, `/sse?${query}`);
    expect([stream.status, stream.text]).toEqual([429, `Connection limit exceeded: ${refusal}`]);
    for (let n = ofUser; n < ofAll; n++) expect(await open(tenant, `user-${n}`, opened)).toBe('open');
    expect(await open(tenant, 'last', opened)).toContain(`(${ofAll}/${ofAll})`);

    // Another tenant's user of the same name is somebody else.
    expect(await open('another', 'ann', opened)).toBe('open');
    await Promise.all(opened.map((client) => client.close()));
  });

  it.each<[string, number]>([
    ['plain', 1],
    ['premium', 2],
  ])('tenant %s: %d channels of a connection', async (tenant, channels) => {
    const client = await ara.ws('bob', { tenant_id: tenant });
    for (let n = 0; n < channels; n++) expect(await client.subscribe(`c${n}`)).toMatchObject({ type: 'subscribed' });
    expect(await client.subscribe('more')).toMatchObject({
      code: 'SUBSCRIPTION_ERROR',
      message: `Subscription limit exceeded (${channels}/${channels})`,
    });
    await client.close();
  });
});
