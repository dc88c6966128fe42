import { parseNotificationId } from '../notification/ids';
import { Frame, httpChunk } from './frame';

const ID = parseNotificationId('0192f0c1-7a3b-7c4d-8e5f-0123456789ab')!;

describe('Frame', () => {
  it('is rendered when somebody needs it, and once', () => {
    const render = jest.fn(() => '{"type":"pong"}');
    const frame = new Frame(render, { event: 'message' });
    expect(render).not.toHaveBeenCalled();
    expect(frame.webSocket).toBe(frame.webSocket);
    expect(frame.sseChunk).toBe(frame.sseChunk);
    expect(frame.json).toBe('{"type":"pong"}');
    expect(render).toHaveBeenCalledTimes(1);
  });

  it('carries what a backlog asks', () => {
    expect(new Frame('{}', { event: 'notification', id: ID, priority: 'Low', mayBeShed: true })).toMatchObject({
      id: ID,
      rank: 3,
      mayBeShed: true,
    });
    expect(new Frame('{}', { event: 'heartbeat' })).toMatchObject({ id: undefined, rank: 0, mayBeShed: false });
  });

  describe('as a WebSocket frame', () => {
    it.each([
      [0, '8100'],
      [1, '8101'],
      [125, '817d'],
      [126, '817e007e'],
      [65_535, '817effff'],
      [65_536, '817f0000000000010000'],
      [70_000, '817f0000000000011170'],
    ])('a text of %d bytes starts with %s', (size, header) => {
      const { webSocket } = new Frame('x'.repeat(size), { event: 'message' });
      expect(webSocket.subarray(0, header.length / 2).toString('hex')).toBe(header);
      expect(webSocket.subarray(header.length / 2).toString()).toBe('x'.repeat(size));
    });

    it('counts bytes, not characters', () => {
      const { webSocket } = new Frame('"ü😀"', { event: 'message' });
      expect(webSocket).toEqual(Buffer.concat([Buffer.from([0x81, 8]), Buffer.from('"ü😀"')]));
    });
  });

  describe('as an SSE event', () => {
    it('has an id when it is a notification, and a retry when it asks for one', () => {
      expect(new Frame('{}', { event: 'heartbeat' }).sseEvent).toBe('event: heartbeat\ndata: {}\n\n');
      expect(new Frame('{}', { event: 'notification', id: ID, retryMs: 3000 }).sseEvent).toBe(
        `event: notification\nid: ${ID}\nretry: 3000\ndata: {}\n\n`,
      );
    });

    it('is one chunk of an HTTP body', () => {
      const frame = new Frame('"ü"', { event: 'message' });
      const size = Buffer.byteLength(frame.sseEvent).toString(16);
      expect(frame.sseChunk.toString()).toBe(`${size}\r\nevent: message\ndata: "ü"\n\n\r\n`);
    });
  });
});

it('httpChunk counts bytes in hexadecimal', () => {
  expect(httpChunk(': heartbeat\n\n').toString()).toBe('d\r\n: heartbeat\n\n\r\n');
  expect(httpChunk('ü'.repeat(8)).toString()).toBe(`10\r\n${'ü'.repeat(8)}\r\n`);
});
