import { AraProcess } from '../support/ara-process';
import { until } from '../support/until';

describe('the self-probe', () => {
  it('measures the whole path and lies outside all counts, lists and broadcasts', async () => {
    const ara = await AraProcess.start({ CANARY_INTERVAL_SECONDS: '1', QUEUE_ENABLED: 'true', ACK_ENABLED: 'true' });
    try {
      const metrics = async (): Promise<string> => (await ara.get('/metrics')).text;
      await until('two probes have arrived', async () =>
        /^ara_canary_latency_seconds_count [2-9]/m.test(await metrics()),
      );
      const text = await metrics();
      expect(text).toMatch(/^ara_canary_lost_total 0$/m);
      for (const name of [
        'ara_connections_total',
        'ara_users_connected',
        'ara_messages_sent_total{target="user"}',
        'ara_messages_delivered_total',
        'ara_message_delivery_latency_seconds_count',
        'ara_ws_connections_opened_total',
        'ara_queue_enqueued_total',
        'ara_queue_size_total',
        'ara_ack_tracked_total',
      ]) {
        expect(text).toContain(`\n${name} 0\n`);
      }
      const broadcast = await ara.post('/api/v1/notifications/broadcast', { event_type: 'e', payload: null });
      expect(broadcast.json()).toMatchObject({ delivered_to: 0, failed: 0 });
      expect((await ara.get('/stats')).json()).toMatchObject({
        connections: { total_connections: 0, unique_users: 0 },
      });
      expect((await ara.get('/health')).json()).toMatchObject({
        connections: { total: 0 },
        queue: { users_with_queue: 0 },
      });
    } finally {
      await ara.stop();
    }
  });
});
