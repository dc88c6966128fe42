import { tenant } from '../../test/support/engine';
import { FakeClock } from '../../test/support/fake-clock';
import { PROBE_TENANT } from '../notification/ids';
import { EVERY_TENANT } from '../notification/target';
import { Metrics } from '../telemetry/metrics';
import { DispatchStatistics } from './dispatch-statistics';

let clock: FakeClock;
let metrics: Metrics;
let statistics: DispatchStatistics;
const [A, B] = [tenant('a'), tenant('b')];

beforeEach(() => {
  clock = new FakeClock(Date.UTC(2026, 0, 1, 23, 59, 59, 999));
  metrics = new Metrics();
  statistics = new DispatchStatistics(clock, metrics);
});

it('counts in total and by tenant, and what names all tenants in total only', () => {
  statistics.countSent(A, 'user', 1);
  statistics.countReach(A, { delivered: 2, failed: 1 });
  statistics.countReach(EVERY_TENANT, { delivered: 10, failed: 0 });
  statistics.countShed(3);
  statistics.countOpened(B);
  expect(statistics.totals).toMatchObject({ sent: 1, delivered: 12, failed: 4, connectionsOpened: 1 });
  expect(statistics.ofTenant(A)).toMatchObject({ sent: 1, delivered: 2, failed: 1, connectionsOpened: 0 });
  expect(statistics.ofTenant(B)).toMatchObject({ sent: 0, delivered: 0, failed: 0, connectionsOpened: 1 });
  expect(statistics.ofTenant(tenant('c'))).toBeUndefined();
});

it('starts the day’s counts anew at midnight UTC', () => {
  statistics.countSent(A, 'user', 1);
  statistics.countReach(A, { delivered: 1, failed: 1 });
  expect(statistics.totals).toMatchObject({ sentToday: 1, deliveredToday: 1, failedToday: 1 });
  clock.advance(1);
  expect(statistics.totals).toMatchObject({ sent: 1, sentToday: 0, deliveredToday: 0, failedToday: 0 });
  expect(statistics.ofTenant(A)).toMatchObject({ sent: 1, delivered: 1, sentToday: 0, deliveredToday: 0 });
  statistics.countSent(A, 'user', 1);
  expect(statistics.ofTenant(A)).toMatchObject({ sent: 2, sentToday: 1 });
});

it('leaves the self-probe out', async () => {
  statistics.countSent(PROBE_TENANT, 'user', 1);
  statistics.countReach(PROBE_TENANT, { delivered: 1, failed: 1 });
  expect(statistics.totals).toMatchObject({ sent: 0, delivered: 0, failed: 0 });
  expect(await metrics.render()).toContain('ara_message_delivery_latency_seconds_count 0');
});

it('shows the same in its metrics', async () => {
  statistics.countSent(A, 'channels', 5);
  statistics.countSent(A, 'channels', 500);
  statistics.countReach(A, { delivered: 7, failed: 2 });
  const text = await metrics.render();
  expect(text).toContain('\nara_messages_sent_total{target="channels"} 2\n');
  expect(text).toContain('\nara_messages_sent_total{target="user"} 0\n');
  expect(text).toContain('\nara_messages_delivered_total 7\n');
  expect(text).toContain('\nara_messages_failed_total 2\n');
  expect(text).toContain('ara_message_delivery_latency_seconds_bucket{le="0.005"} 1\n');
  expect(text).toContain('ara_message_delivery_latency_seconds_count 2\n');
  expect(statistics.sentTo('channels')).toBe(2);
});
