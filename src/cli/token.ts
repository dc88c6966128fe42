import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import jwt from 'jsonwebtoken';
import type { JwtConfig } from '../config/ara-config';
import { configOf, parseList } from './server';
import { CommandError, EXIT, type Terminal } from './terminal';

export interface TokenClaims {
  readonly user: string;
  readonly tenant?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  /** undefined: any channel. */
  readonly channels?: readonly string[] | undefined;
  readonly ttlSeconds: number;
}

interface TokenOptions extends Omit<TokenClaims, 'ttlSeconds'> {
  readonly ttl: number;
  readonly privateKey?: string;
  readonly json?: true;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

export function addTokenCommand(program: Command, terminal: Terminal): void {
  program
    .command('token')
    .description('Make a token for a user, signed with the configured secret')
    .requiredOption('--user <id>', 'whose token it is')
    .option('--tenant <id>', 'tenant of the user')
    .option('--roles <names>', 'comma list', parseList)
    .option(
      '--channels <names>',
      'comma list of the only channels that it may hear; a final * matches a prefix',
      parseList,
    )
    .option('--ttl <time>', 'how long it holds: seconds, or 30m, 12h, 7d', parseDuration, 3600)
    .option('--private-key <file>', 'PEM file to sign with, for RS256 and ES256')
    .option('--json', 'print the token and when it expires as JSON')
    .action((options: TokenOptions) => {
      const { jwt: config } = configOf(terminal);
      const privateKey =
        options.privateKey === undefined ? undefined : readFileSync(resolve(terminal.cwd, options.privateKey), 'utf8');
      const token = mintToken(config, { ...options, ttlSeconds: options.ttl }, privateKey);
      const { exp } = jwt.decode(token, { json: true }) ?? {};
      terminal.out(
        options.json === undefined ? token : JSON.stringify({ token, expires_at: new Date((exp ?? 0) * 1000) }),
      );
    });
}

/** A token that the service with this configuration accepts. Only HS256 can be signed without a private key. */
export function mintToken(config: JwtConfig, claims: TokenClaims, privateKey?: string): string {
  const { algorithm, issuer, audience } = config;
  const key = algorithm === 'HS256' ? config.keys[0] : privateKey;
  if (key === undefined) {
    throw new CommandError(
      `${algorithm} tokens are signed with a private key: name its PEM file (--private-key), or give a token`,
      EXIT.usage,
    );
  }
  const { user, tenant, roles, channels, ttlSeconds } = claims;
  return jwt.sign(
    {
      ...(tenant !== undefined && { tenant_id: tenant }),
      ...(roles !== undefined && { roles }),
      ...(channels !== undefined && { channels }),
    },
    key,
    {
      algorithm,
      subject: user,
      expiresIn: ttlSeconds,
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    },
  );
}

/** In seconds. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^([1-9]\d{0,9})([smhd]?)$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('It must be a number of seconds, or end in s, m, h or d.');
  return Number(amount) * (SECONDS[unit] ?? 1);
}
