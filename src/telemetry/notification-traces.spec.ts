import type { NotificationId } from '../notification/ids';
import { NotificationTraces } from './notification-traces';

const id = (name: string) => name as NotificationId;

it('remembers the latest ones', () => {
  const traces = new NotificationTraces(2);
  for (const name of ['a', 'b', 'c']) traces.remember(id(name), `trace-${name}`);
  traces.remember(id('d'), undefined);
  expect(['a', 'b', 'c', 'd'].map((name) => traces.traceparentOf(id(name)))).toEqual([
    undefined,
    'trace-b',
    'trace-c',
    undefined,
  ]);
});

it('remembers nothing without room', () => {
  const traces = new NotificationTraces(0);
  traces.remember(id('a'), 'trace-a');
  expect(traces.traceparentOf(id('a'))).toBeUndefined();
});
