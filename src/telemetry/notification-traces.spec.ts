import type { NotificationId } from '../notification/ids';
import type { Notification } from '../notification/notification';
import { Frame } from '../protocol/frame';
import { notificationFrame } from '../protocol/server-message';
import { toRawJson } from '../protocol/raw-json';
import { NotificationTraces } from './notification-traces';

const id = (name: string) => name as NotificationId;
const trace = (n: number) => `00-${String(n).padStart(32, '0')}-00000000000000aa-01`;

function frame(name: string, traits: Partial<Notification> = {}): Frame {
  const notification: Notification = {
    id: id(name),
    occurredAt: 0,
    eventType: 'test',
    payload: toRawJson(null),
    priority: 'Normal',
    source: 'http-api',
    ...traits,
  };
  return notificationFrame(notification, { kind: 'broadcast' }, true);
}

it('remembers the latest ones', () => {
  const traces = new NotificationTraces(2);
  ['a', 'b', 'c'].forEach((name, n) => {
    traces.remember(frame(name, { traceparent: trace(n), correlationId: 'x' }));
  });
  expect(['a', 'b', 'c'].map((name) => traces.traceparentOf(id(name)))).toEqual([undefined, trace(1), trace(2)]);
});

it('takes nothing for a trace that a sender wrote into the content', () => {
  const traces = new NotificationTraces(2);
  traces.remember(frame('a', { payload: toRawJson({ metadata: { traceparent: trace(1) } }) }));
  traces.remember(frame('b', { correlationId: `"traceparent":"${trace(1)}"}}` }));
  expect([traces.traceparentOf(id('a')), traces.traceparentOf(id('b'))]).toEqual([undefined, undefined]);
});

it('without room remembers nothing and does not even render a frame', () => {
  const traces = new NotificationTraces(0);
  const render = jest.fn(() => frame('a', { traceparent: trace(1) }).json);
  traces.remember(new Frame(render, { event: 'notification', id: id('a') }));
  expect(traces.traceparentOf(id('a'))).toBeUndefined();
  expect(render).not.toHaveBeenCalled();
});
