import type { LogLevel } from './ara-config';

const LEVELS: ReadonlyMap<string, LogLevel> = new Map<string, LogLevel>([
  ['trace', 'trace'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['off', 'silent'],
]);

/** Of `warn,ara_notification_service=debug,tower_http=info`: what it says of this service, else of everything. */
export function levelOfRustLog(directives: string): LogLevel | undefined {
  const levels = new Map<string, string>();
  for (const directive of directives.toLowerCase().split(',')) {
    const [target = '', level] = directive.split('=').map((part) => part.trim());
    levels.set(level === undefined ? '' : target, level ?? target);
  }
  const own = [...levels.keys()].find((target) => /^ara(_|$)/.test(target));
  return LEVELS.get(levels.get(own ?? '') ?? '');
}
