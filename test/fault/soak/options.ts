import { parseArgs } from 'node:util';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Requests per second. */
  readonly perSecond: number;
  /** New connections per second. */
  readonly connectsPerSecond: number;
  /** Seconds between two troubles of Redis. */
  readonly blinkSeconds: number;
  /** The memory of a run that is too short has no slope. */
  readonly judgesSlope: boolean;
}

export const HELP = `Runs one node for a while under a life as it is, and looks for what grows or is left behind.

  npm run soak -- --minutes 20

Connections come, subscribe, acknowledge and go, in order and not; notifications go to users who are there, who come later,
and who never come, with queue and acknowledgements in Redis; Redis is killed, stopped and frozen again and again.

  --minutes <n>    how long (default 20; under 5 the slope of the memory is not judged)
  --rate <n>       requests per second (default 40)
  --connects <n>   new connections per second (default 8)
  --blink <n>      seconds between two troubles of Redis (default 45)
  --seed <n>       decides everything that is drawn (default 7)

Progress goes to standard error, the verdict as JSON to standard output. The exit code is 0 when memory grew by less than
1 MiB per minute after the warm-up, the event loop's p99 was 50 ms at most, and every connection, subscription, socket,
timer and entry was gone at the end; 1 when not; 2 when the soak could not be made. Linux only; needs a redis-server.`;

const MINUTES_OF_A_SLOPE = 5;

/** Throws an Error that is meant for the operator; undefined when only help is wanted. */
export function parseOptions(args: readonly string[]): SoakOptions | undefined {
  const number = (fallback: string) => ({ type: 'string', default: fallback }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      minutes: number('20'),
      rate: number('40'),
      connects: number('8'),
      blink: number('45'),
      seed: number('7'),
    },
  });
  if (values.help) return undefined;
  const minutes = positive('minutes', values.minutes);
  return {
    minutes,
    seed: positive('seed', values.seed),
    perSecond: positive('rate', values.rate),
    connectsPerSecond: positive('connects', values.connects),
    blinkSeconds: positive('blink', values.blink),
    judgesSlope: minutes >= MINUTES_OF_A_SLOPE,
  };
}

function positive(option: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new Error(`--${option} is a number above 0, not ${value}`);
  return number;
}
