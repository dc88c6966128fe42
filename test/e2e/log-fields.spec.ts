import { AraProcess } from '../support/ara-process';
import { OtlpReceiver } from '../support/otlp-receiver';
import { startRedis } from '../support/redis-server';
import { until } from '../support/until';

it('a line of the log says which request, connection, notification and trace it is about', async () => {
  const [redis, receiver] = [await startRedis(), await OtlpReceiver.start()];
  const ara = await AraProcess.start({
    LOG_LEVEL: 'debug',
    RUST_LOG_FORMAT: 'json',
    OTEL_ENABLED: 'true',
    OTEL_ENDPOINT: receiver.endpoint,
    REDIS_URL: redis.url,
    ACK_ENABLED: 'true',
    ACK_BACKEND: 'redis',
    TEMPLATE_BACKEND: 'redis',
    STORE_TIMEOUT_MS: '300',
    WEBSOCKET_SEND_CONNECTED: 'true',
  });
  const line = (msg: string, path?: string): Promise<Record<string, unknown>> =>
    until(`the log says "${msg}"`, () =>
      ara.output
        .split('\n')
        .filter((text) => text.startsWith('{') && text.endsWith('}'))
        .map((text) => JSON.parse(text) as Record<string, unknown>)
        .findLast((one) => one['msg'] === msg && (path === undefined || one['path'] === path)),
    );
  try {
    const alice = await ara.ws('alice');
    const connected = await alice.next('connected');
    const sent = await ara.post('/api/v1/notifications/send', { target_user_id: 'alice', event_type: 'e', payload: 1 });
    expect(await line('request', '/api/v1/notifications/send')).toMatchObject({
      level: 'debug',
      method: 'POST',
      status: 200,
      request_id: sent.headers['x-request-id'],
    });
    const { id } = await alice.notification();
    await redis.kill9();

    const failed = await ara.get('/api/v1/templates?token=hidden');
    expect(failed.status).toBe(500);
    expect(await line('GET /api/v1/templates failed')).toMatchObject({
      level: 'error',
      context: 'ErrorFilter',
      request_id: failed.headers['x-request-id'],
      err: { type: expect.any(String) as unknown, message: expect.any(String) as unknown },
    });

    alice.send({ type: 'Ack', payload: { notification_id: id } });
    const settled = await line('Could not settle an acknowledgement');
    expect(settled).toMatchObject({
      notification_id: id,
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    });

    // Reserved bits that nobody negotiated.
    (alice.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
      Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
    );
    await alice.closed;
    expect(await line('A client broke the protocol')).toMatchObject({ connection_id: connected['connection_id'] });

    await ara.stop();
    const [ack] = receiver.named('ws.ack');
    expect(ack!.traceId).toBe(settled['trace_id']);
  } finally {
    await ara.kill9();
    receiver.stop();
    await redis.close();
  }
});
