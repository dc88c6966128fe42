import fc from 'fast-check';
import { parseClientMessage } from './client-message';

const ID = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';

/** `levels` arrays, one in the other. */
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('parseClientMessage', () => {
  describe('reads what a client may say', () => {
    it.each([
      ['{"type":"Ping"}', { kind: 'ping' }],
      ['{ "type": "Ping" }', { kind: 'ping' }],
      ['{"type":"Ping","payload":null}', { kind: 'ping' }],
      ['{"type":"Ping","payload":{}}', { kind: 'ping' }],
      ['{"type":"Subscribe","payload":{"channels":["a","b","a"]}}', { kind: 'subscribe', channels: ['a', 'b', 'a'] }],
      ['{"payload":{"channels":[]},"type":"Subscribe"}', { kind: 'subscribe', channels: [] }],
      [
        '{"type":"Subscribe","payload":{"channels":["no such:name"]}}',
        { kind: 'subscribe', channels: ['no such:name'] },
      ],
      ['{"type":"Unsubscribe","payload":{"channels":["größe"]}}', { kind: 'unsubscribe', channels: ['größe'] }],
      [`{"type":"Ack","payload":{"notification_id":"${ID}"}}`, { kind: 'ack', notification: ID }],
      [`{"type":"Ack","payload":{"notification_id":"${ID.toUpperCase()}"}}`, { kind: 'ack', notification: ID }],
      [`{"type":"Ack","payload":{"notification_id":"${ID}","x":1},"extra":true}`, { kind: 'ack', notification: ID }],
    ])('%s', (text, expected) => {
      expect(parseClientMessage(text)).toEqual(expected);
    });
  });

  describe('refuses the rest', () => {
    it.each([
      '',
      'Ping',
      '{"type":"Ping"',
      '\ufeff{"type":"Ping"}',
      'null',
      '[]',
      '"Ping"',
      '{}',
      '{"type":"ping"}',
      '{"type":"PING"}',
      '{"type":["Ping"]}',
      '{"type":"Ping","payload":"now"}',
      '{"type":"Ping","payload":[]}',
      '{"type":"Subscribe"}',
      '{"type":"Subscribe","payload":null}',
      '{"type":"Subscribe","payload":["a"]}',
      '{"type":"Subscribe","payload":{}}',
      '{"type":"Subscribe","payload":{"channels":"a"}}',
      '{"type":"Subscribe","payload":{"channels":["a",1]}}',
      '{"type":"Subscribe","channels":["a"]}',
      '{"type":"Unsubscribe","payload":{"channels":null}}',
      '{"type":"Ack"}',
      '{"type":"Ack","payload":{}}',
      '{"type":"Ack","payload":{"notification_id":"abc-123"}}',
      '{"type":"Ack","payload":{"notification_id":7}}',
      `{"type":"Ack","payload":"${ID}"}`,
      '{"type":"__proto__","payload":{}}',
    ])('%s', (text) => {
      expect(parseClientMessage(text)).toEqual({ kind: 'invalid', message: expect.any(String) as string });
    });
  });

  it('counts depth before it parses: 64 levels are read, 65 refused', () => {
    const frame = (levels: number): string => `{"type":"Ping","extra":${nested(levels - 1)}}`;
    expect(parseClientMessage(frame(64))).toEqual({ kind: 'ping' });
    expect(parseClientMessage(frame(65))).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('64') as string,
    });
    expect(parseClientMessage('['.repeat(65_536))).toMatchObject({ kind: 'invalid' });
  });

  it('repeats nothing of the input to the client', () => {
    const answer = parseClientMessage('{"type":"secret-word","payload":"secret-word"}');
    expect(JSON.stringify(answer)).not.toContain('secret-word');
  });

  it('survives any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
        expect(typeof parseClientMessage(text).kind).toBe('string');
      }),
    );
  });
});
