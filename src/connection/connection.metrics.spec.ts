import { channel, configOf, connectionOf, tenant, user } from '../../test/support/engine';
import { PROBE_TENANT } from '../notification/ids';
import { Metrics } from '../telemetry/metrics';
import { LoneWorker } from '../workers/workers';
import { Census } from './census';
import { ConnectionRegistry } from './connection-registry';
import { ConnectionMetrics } from './connection.metrics';

async function scrape(env: Record<string, string>): Promise<string> {
  const metrics = new Metrics();
  const registry = new ConnectionRegistry();
  new ConnectionMetrics(metrics, registry, new Census(registry, new LoneWorker()), configOf(env));
  const connections = [
    connectionOf({ user: user('a') }),
    connectionOf({ user: user('a') }),
    connectionOf({ tenant: tenant('t') }),
    connectionOf({ tenant: PROBE_TENANT, isProbe: true }),
  ];
  for (const connection of connections) {
    registry.register(connection);
    registry.subscribe(connection, channel('news'), 0);
  }
  return metrics.render();
}

it('shows what the registry holds, without the self-probe', async () => {
  const text = await scrape({});
  expect(text).toContain('\nara_connections_total 3\n');
  expect(text).toContain('\nara_users_connected 2\n');
  expect(text).toContain('\nara_channels_active 2\n');
  expect(text).toContain(`\nara_connection_manager_memory_bytes ${3 * 500 + 3 * 100}\n`);
  expect(text).toContain('\nara_channel_subscriptions{channel="news"} 3\n');
});

it('names no channel while there are tenants', async () => {
  const text = await scrape({ TENANT_ENABLED: 'true' });
  expect(text).toContain('\nara_connections_total 3\n');
  expect(text).not.toContain('ara_channel_subscriptions');
});
