import { AraProcess } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { http } from '../support/http';

const TOKEN = 'a-token-for-the-metrics-of-the-tests';

describe('/metrics', () => {
  it('is open, needs no API key, and says its format', async () => {
    const ara = await AraProcess.start();
    const { status, headers, text } = await http('GET', ara.url, '/metrics');
    await ara.stop();
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toContain('\nara_connections_total 0\n');
    expect(text).toContain('\nara_messages_sent_total{target="channels"} 0\n');
    expect(text).toContain('\nara_ws_messages_received_total{type="ack"} 0\n');
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });

  it('asks for METRICS_TOKEN', async () => {
    const ara = await AraProcess.start({ METRICS_TOKEN: TOKEN });
    const ask = async (authorization?: string) =>
      (await http('GET', ara.url, '/metrics', { headers: authorization === undefined ? {} : { authorization } }))
        .status;
    expect([await ask(), await ask('Bearer wrong'), await ask(TOKEN), await ask(`Bearer ${TOKEN}`)]).toEqual([
      401, 401, 401, 200,
    ]);
    await ara.stop();
  });

  it('lives at METRICS_PORT alone, where nothing else answers, and ends with the service', async () => {
    const port = await freePort();
    const ara = await AraProcess.start({ METRICS_PORT: String(port), METRICS_TOKEN: TOKEN });
    const url = `http://127.0.0.1:${port}`;
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await http('GET', url, '/metrics')).status).toBe(401);
    expect((await http('GET', url, '/metrics', { headers })).text).toContain('\nara_connections_total 0\n');
    expect((await http('GET', url, '/health', { headers })).status).toBe(404);
    expect((await http('GET', ara.url, '/metrics', { headers })).status).toBe(401);
    expect((await ara.get('/metrics', headers)).status).toBe(404);
    expect(await ara.stop()).toEqual({ code: 0, signal: null });
    await expect(http('GET', url, '/metrics', { headers })).rejects.toThrow('ECONNREFUSED');
  });
});
