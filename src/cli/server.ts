import { InvalidArgumentError, type Command } from 'commander';
import type { AraConfig } from '../config/ara-config';
import { loadConfig } from '../config/load-config';
import type { Terminal } from './terminal';

export interface ServerOptions {
  readonly url?: string;
}

/** The configuration that the service here would start with. Throws ConfigurationError. */
export function configOf(terminal: Terminal): AraConfig {
  return loadConfig(terminal).config;
}

export function withServer(command: Command): Command {
  return command.option('--url <url>', 'the service (default: this machine, at the configured port)', parseUrl);
}

/** Without a slash at its end. */
export function baseUrl({ url }: ServerOptions, terminal: Terminal): string {
  return url ?? `http://127.0.0.1:${configOf(terminal).server.port}`;
}

/** Splits `a,b`; for names that hold no comma. */
export function parseList(text: string): string[] {
  return text.split(',').filter((name) => name !== '');
}

/** fetch says no more than "fetch failed"; the reason is in the cause. */
export function reasonOf(error: unknown): string {
  const cause = memberOf(error, 'cause') ?? error;
  return String(memberOf(cause, 'code') ?? memberOf(cause, 'message') ?? cause);
}

function parseUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError('It must start with http:// or https://.');
  return text.replace(/\/+$/, '');
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
