import { levelOfRustLog } from './rust-log';

describe('levelOfRustLog', () => {
  it.each([
    ['info', 'info'],
    ['WARN', 'warn'],
    ['off', 'silent'],
    ['info,ara=debug', 'debug'],
    ['ara_notification_service=trace, tower_http=info', 'trace'],
    ['warn,arabic=trace', 'warn'],
    ['tower_http=debug', undefined],
    ['verbose', undefined],
    ['', undefined],
  ])('%j means %s', (directives, level) => {
    expect(levelOfRustLog(directives)).toBe(level);
  });
});
