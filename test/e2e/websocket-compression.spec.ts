import { AraProcess } from '../support/ara-process';
import { tokenFor } from '../support/tokens';
import { WsClient } from '../support/ws-client';

const LONG = 'a long story '.repeat(1000);

describe('permessage-deflate, which WEBSOCKET_COMPRESSION offers', () => {
  let ara: AraProcess;
  const open = (perMessageDeflate: object | boolean): Promise<WsClient> =>
    WsClient.connect(`${ara.url.replace('http', 'ws')}/ws?token=${tokenFor('u1')}`, { perMessageDeflate });
  const send = (text: string): Promise<unknown> =>
    ara.post('/api/v1/notifications/send', { target_user_id: 'u1', event_type: 'e', payload: text });

  beforeAll(async () => {
    ara = await AraProcess.start({ WEBSOCKET_COMPRESSION: 'true' });
  });
  afterAll(() => ara.stop());

  it('sends one compressed message to all who negotiated it, and plain text to the others', async () => {
    const [first, second, plain] = await Promise.all([open(true), open(true), open(false)]);
    expect([first, second, plain].map(({ socket }) => socket.extensions)).toEqual([
      'permessage-deflate',
      'permessage-deflate',
      '',
    ]);
    const received = [0, 0, 0];
    [first, second, plain].forEach(({ socket }, i) => {
      const raw = (socket as unknown as { _socket: NodeJS.EventEmitter })._socket;
      raw.on('data', (chunk: Buffer) => (received[i] = (received[i] ?? 0) + chunk.length));
    });
    for (const text of [LONG, 'short', LONG]) await send(text);
    for (const client of [first, second, plain]) {
      const texts = [];
      for (let i = 0; i < 3; i++) texts.push((await client.next('notification'))['payload']);
      expect(texts).toEqual([LONG, 'short', LONG]);
    }
    expect(received[0]).toBeLessThan(LONG.length / 4);
    expect(received[0]).toBe(received[1]);
    expect(received[2]).toBeGreaterThan(2 * LONG.length);
    for (const client of [first, second, plain]) client.socket.close();
  });

  it('stays uncompressed for a client that wants a smaller window than what is shared', async () => {
    const client = await open({ serverMaxWindowBits: 9 });
    expect(client.socket.extensions).toBe('');
    await send(LONG);
    expect((await client.next('notification'))['payload']).toBe(LONG);
    client.socket.close();
  });
});
