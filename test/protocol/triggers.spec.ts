import { parseNotificationId } from '../../src/notification/ids';
import { renderNotification } from '../../src/protocol/server-message';
import { parseTrigger } from '../../src/protocol/trigger-message';
import { GoldenFolder } from './golden-folder';

const golden = new GoldenFolder('trigger');

/** `<name>.in.json` is what a publisher sends, `<name>.out.txt` what Ara makes of it. */
describe('what a Redis publisher may send', () => {
  it.each(golden.list('.in.json'))('%s', (file) => {
    const result = parseTrigger(golden.read(file));
    golden.expect(file.replace('.in.json', '.out.txt'), JSON.stringify(result, null, 2));
    expect(result.kind).toBe(file.startsWith('invalid-') ? 'invalid' : 'ok');
  });

  it('and every answer has its message', () => {
    golden.expectNoOthers();
  });

  it('reaches clients with the payload as it was written, on one line', () => {
    const result = parseTrigger(golden.read('pretty-printed.in.json'));
    if (result.kind === 'invalid') throw new Error(result.reason);
    const { eventType, payload, priority } = result.trigger;
    const id = parseNotificationId('0192f0c1-7a3b-7c4d-8e5f-0123456789ab')!;
    expect(
      renderNotification({ id, eventType, payload, priority, occurredAt: 0, source: 'redis:notification:user:user-1' }),
    ).toBe(
      '{"type":"notification","id":"0192f0c1-7a3b-7c4d-8e5f-0123456789ab","occurred_at":"1970-01-01T00:00:00.000Z",' +
        '"event_type":"report.ready","payload":{"text":"first\\nsecond","big":12345678901234567890,"one":1.0},' +
        '"metadata":{"source":"redis:notification:user:user-1","priority":"Normal"}}',
    );
  });
});
